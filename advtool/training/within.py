"""A run that is left in the middle of an epoch: what it has there besides weights, and how it is asked to stop."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from advtool import distributed
from advtool.errors import AdvtoolError

if TYPE_CHECKING:
    from advtool.training.tally import Tally

_SUMS = ("n", "loss", "clean", "adversarial")
_RNG, _CUDA, _BUFFERS = "generator", "cuda", "buffers."


class Stopped(Exception):
    """The run was asked to stop, and its state is saved."""


@dataclass
class Stop:
    """How a run is asked to stop after the batch that it is at.

    Attributes
    ----------
    heeded : the run is within an epoch, and will look
    asked : somebody wants it to stop
    """

    heeded: bool = False
    asked: bool = False


@dataclass(frozen=True)
class Within:
    """Where in an epoch a run is, and what each of its processes has of its own.

    Attributes
    ----------
    step : batches of the epoch that are done
    sums : of each process, those of its `Tally`; None where that is not counted
    tensors : of each process, the state of its generators, and running statistics, which on CPUs are those of its rows
    """

    step: int
    sums: Sequence[Mapping[str, float | None]]
    tensors: Sequence[Mapping[str, Tensor]]

    @property
    def processes(self) -> int:
        return len(self.sums)

    def to_json(self) -> dict[str, Any]:
        """What metadata say; the tensors are stored as such."""
        return {"step": self.step, "sums": [dict(own) for own in self.sums]}

    def named(self) -> dict[str, Tensor]:
        """The tensors of all processes, by process and name."""
        return {f"{rank}/{name}": value for rank, own in enumerate(self.tensors) for name, value in own.items()}

    @classmethod
    def of(cls, found: Any, tensors: Mapping[str, Tensor]) -> "Within":
        """From what `to_json` and `named` say.

        Raises
        ------
        AdvtoolError
            if that cannot be
        """
        sums = found.get("sums") if isinstance(found, dict) else None
        if not (isinstance(sums, list) and sums and type(found.get("step")) is int and found["step"] > 0):
            raise AdvtoolError("it says no batch that it was left at")
        for own in sums:
            known = isinstance(own, dict) and own.keys() == {*_SUMS}
            if not known or any(type(own[name]) not in (int, float, type(None)) for name in _SUMS):
                raise AdvtoolError("its sums over the epoch are no numbers")
        apart: list[dict[str, Tensor]] = [{} for _ in sums]
        for name, value in tensors.items():
            rank, _, rest = name.partition("/")
            if not (rank.isdecimal() and int(rank) < len(apart)):
                raise AdvtoolError(f"it has an unknown {name}")
            apart[int(rank)][rest] = value
        return cls(found["step"], sums, apart)

    @classmethod
    def now(cls, step: int, tally: "Tally", nets: Sequence[nn.Module]) -> "Within":
        """Of all processes, each of which calls this.

        Parameters
        ----------
        nets : those whose running statistics are kept
        """
        sums = {name: _number(getattr(tally, name)) for name in _SUMS}
        own = {_RNG: torch.get_rng_state()}
        if torch.cuda.is_available():
            own[_CUDA] = torch.cuda.get_rng_state()
        for number, net in enumerate(nets):
            own |= {f"{_BUFFERS}{number}.{name}": value.detach().cpu().clone() for name, value in net.named_buffers()}
        parts = distributed.gathered((sums, own))
        return cls(step, [part[0] for part in parts], [part[1] for part in parts])

    def restore(self, tally: "Tally", nets: Sequence[nn.Module]) -> None:
        """Put everything back; where there are other processes now, the sums of all go to the first.

        Raises
        ------
        AdvtoolError
            if the running statistics are not those of the networks
        """
        here = distributed.processes()
        same = here.world == self.processes
        own = self.tensors[here.rank if same else 0]
        buffers = [dict(net.named_buffers()) for net in nets]
        expected = {f"{_BUFFERS}{i}.{name}": value for i, found in enumerate(buffers) for name, value in found.items()}
        for name, value in expected.items():
            if name not in own or own[name].shape != value.shape or own[name].dtype != value.dtype:
                raise AdvtoolError(f"it lacks {name}")
            parts = [each[name] for each in self.tensors]
            mean = torch.stack(parts).mean(0) if not same and value.is_floating_point() else own[name]
            value.copy_(mean)
        torch.set_rng_state(own[_RNG])
        if _CUDA in own and torch.cuda.is_available():
            torch.cuda.set_rng_state(own[_CUDA])
        mine = [self.sums[here.rank]] if same else self.sums if here.is_first else []
        tally.everywhere = int(sum(sums["n"] or 0 for sums in self.sums))
        for name in _SUMS:
            known = [sums[name] for sums in self.sums if sums[name] is not None]
            if known or name in ("n", "loss"):
                total = sum(sums[name] or 0 for sums in mine)
                setattr(tally, name, total if name == "loss" else int(total))


def _number(value: Tensor | float | None) -> float | None:
    return value.item() if isinstance(value, Tensor) else value
