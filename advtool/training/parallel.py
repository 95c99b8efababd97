"""Data-parallel training: every process takes its share of each batch, and gradients are averaged as they come."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from advtool.ball import per_example
from advtool.data.portions import is_whole, portion
from advtool.launchers import Processes, processes
from advtool.models.classifier import Classifier


@dataclass(frozen=True)
class Share:
    """One process's part of each batch; the whole of it where there is only one process."""

    here: Processes

    @classmethod
    def mine(cls) -> "Share":
        return cls(processes())

    def first(self, rows: int) -> int:
        """The place in a batch of so many rows of the first that is this process's."""
        return portion(rows, self.here).start

    def weight(self, mine: int, rows: int) -> float:
        """What the mean over `mine` rows counts for in the mean over all `rows`, of which others have the rest."""
        return 1 / self.here.world if is_whole(rows, self.here.world) else mine / rows

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
        return self.here.is_first or not is_whole(rows, self.here.world)

    def averaged(self, gradients: Sequence[Tensor], weight: float) -> Sequence[Tensor]:
        """The mean over all rows of gradients that each process has of the mean over its own, which counts `weight`."""
        if self.here.world > 1:
            for gradient in gradients:
                torch.distributed.all_reduce(gradient.mul_(weight))
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


class Replica:
    """A model whose copies in several processes have their gradients averaged; in one process the model itself.

    `DistributedDataParallel` exchanges gradients in buckets while the backward pass goes on. Its own average would
    count each process alike; a hook weighs each by its rows, so that the mean is that over the whole batch, whatever
    does not divide. Buckets are put in the order of the backward pass before the first step, so that sums come in the
    same order in a run that is taken up again.

    Attributes
    ----------
    forward : the model, to be called for logits whose gradient is wanted
    """

    def __init__(self, model: Classifier):
        self.forward: nn.Module = model
        self._weight = 1.0
        self._ddp: DistributedDataParallel | None = None
        if processes().world > 1:
            before = [(buffer, buffer.clone()) for buffer in model.net.buffers()]
            self._ddp = self.forward = _exchanging(model, self)
            with torch.no_grad():
                for buffer, value in before:
                    buffer.copy_(value)

    def weighing(self, weight: float, exchange: bool) -> AbstractContextManager[None]:
        """Forward and backward passes within are of rows that count so much; gradients are exchanged, or kept here."""
        self._weight = weight
        return nullcontext() if exchange or self._ddp is None else self._ddp.no_sync()

    @property
    def weight(self) -> float:
        return self._weight


def _exchanging(model: Classifier, replica: Replica) -> DistributedDataParallel:
    """The model with its gradients exchanged, of which the buckets are in order: they are after a first pass."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    blank = torch.zeros(2, *model.spec.shape, device=parameters[0].device)
    model.train()(blank).sum().backward()
    some_unused = any(parameter.grad is None for parameter in parameters)
    found = DistributedDataParallel(
        model, broadcast_buffers=False, gradient_as_bucket_view=True, find_unused_parameters=some_unused
    )
    found.register_comm_hook(replica, _weighed)
    for _ in range(2):
        model.zero_grad(set_to_none=True)
        found(blank).sum().backward()
    model.zero_grad(set_to_none=True)
    return found


def _weighed(replica: Replica, bucket: torch.distributed.GradBucket) -> torch.futures.Future[Tensor]:
    """The sum of a bucket's gradients over all processes, each weighed by its rows."""
    work = torch.distributed.all_reduce(bucket.buffer().mul_(replica.weight), async_op=True)
    return work.get_future().then(lambda future: future.value()[0])


def synchronized(net: nn.Module, device: torch.device) -> nn.Module:
    """The network with BatchNorm over the rows of all processes, where torch can do that: on GPUs."""
    if processes().world > 1 and device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(net)
    return net
