"""Data-parallel training: every process takes its share of each batch, and gradients are averaged."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from advtool.ball import per_example
from advtool.distributed import Processes, processes


@dataclass(frozen=True)
class Share:
    """One process's part of each batch; the whole of it where there is only one process."""

    here: Processes

    @classmethod
    def mine(cls) -> "Share":
        return cls(processes())

    def of(self, *batch: Tensor) -> tuple[Tensor, ...]:
        """This process's rows; all of them if that would leave a process fewer than two, too few for BatchNorm."""
        if self._is_whole(len(batch[0])):
            return batch
        return tuple(tensor.tensor_split(self.here.world)[self.here.rank] for tensor in batch)

    def first(self, rows: int) -> int:
        """The place in a batch of so many rows of the first that `of` gives this process."""
        if self._is_whole(rows):
            return 0
        part, longer = divmod(rows, self.here.world)
        return self.here.rank * part + min(self.here.rank, longer)

    def joined(self, values: Tensor, mine: slice) -> Tensor:
        """Values by place in the batch, of which each process knows those of its rows, as all processes know them.

        What nobody knows better is as the first process has it.
        """
        if self.here.world == 1:
            return values
        known = torch.zeros(len(values), dtype=values.dtype, device=values.device)
        known[mine] = 1
        own = values * per_example(known, values)
        torch.distributed.all_reduce(own)
        torch.distributed.all_reduce(known)
        torch.distributed.broadcast(values, 0)
        return torch.where(per_example(known, values) > 0, own / per_example(known.clamp_min(1), values), values)

    def counts(self, rows: int) -> bool:
        """Whether this process counts what it does with a batch of so many rows; the rows of others are others'."""
        return self.here.is_first or not self._is_whole(rows)

    def average_gradients(self, parameters: Iterable[nn.Parameter], mine: int, rows: int) -> None:
        """Make each gradient, of the mean loss over `mine` rows, that of the mean loss over all `rows`."""
        if self.here.world == 1:
            return
        weight = 1 / self.here.world if self._is_whole(rows) else mine / rows
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients]) * weight
        torch.distributed.all_reduce(flat)
        for gradient, found in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(found.view_as(gradient))

    def averaged(self, gradients: Sequence[Tensor]) -> Sequence[Tensor]:
        """The mean over all processes of gradients that each of them has of its own rows."""
        if self.here.world > 1:
            for gradient in gradients:
                torch.distributed.all_reduce(gradient)
                gradient /= self.here.world
        return gradients

    def total(self, numbers: Sequence[float], device: torch.device) -> list[float]:
        """The sums over all processes."""
        if self.here.world == 1:
            return list(numbers)
        totals = torch.tensor(numbers, dtype=torch.float64, device=device)
        torch.distributed.all_reduce(totals)
        return totals.tolist()

    @torch.no_grad()
    def average_buffers(self, net: nn.Module) -> None:
        """Average running statistics, which on CPUs each process keeps of its own rows."""
        if self.here.world == 1:
            return
        for buffer in net.buffers():
            if buffer.is_floating_point():
                torch.distributed.all_reduce(buffer)
                buffer /= self.here.world

    def _is_whole(self, rows: int) -> bool:
        return self.here.world == 1 or rows < 2 * self.here.world


def synchronized(net: nn.Module, device: torch.device) -> nn.Module:
    """The network with BatchNorm over the rows of all processes, where torch can do that: on GPUs."""
    if processes().world > 1 and device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(net)
    return net
