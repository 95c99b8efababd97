"""The training loop: an objective, an optimiser, and which weights are kept."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from advtool import seeds
from advtool.attacks.success import looks
from advtool.data.augment import augment
from advtool.data.batches import Batches, MemoryBatches
from advtool.errors import AdvtoolError, UsageError
from advtool.models.classifier import Classifier
from advtool.threat import Threat
from advtool.training.average import Average
from advtool.training.config import TrainConfig
from advtool.training.divergence import check_loss, check_weights, finite_logits
from advtool.training.objectives import Batch, objective
from advtool.training.optimizers import optimizer_of
from advtool.training.overfitting import Guard
from advtool.training.parallel import Replica, Share
from advtool.training.restoring import check_history, check_moments, check_tensors
from advtool.training.schedule import factor
from advtool.training.selection import chosen, is_over
from advtool.training.state import State, optimizer_state, restore_optimizer, snapshot
from advtool.training.tally import Observer, Silent, Tally
from advtool.training.within import Stop, Stopped, Within


@dataclass
class Trainer:
    """Trains a model in place.

    `measure` is called after each epoch with the model as it would be kept (its weights' moving average, if there is
    one), the number of the epoch and whether it is the last, and returns what to add to the epoch's record.

    Everything random in an epoch follows from the seed and the epoch's number, so a run that continues from a
    `State` takes the same steps as one that was never interrupted.
    """

    model: Classifier
    batches: Batches
    config: TrainConfig
    observer: Observer = field(default_factory=Silent)
    measure: Callable[[Classifier, int, bool], dict] = lambda model, epoch, last: {}
    save: Callable[[State], None] = lambda state: None
    history: list[dict] = field(default_factory=list)
    save_every: int = 0
    stop: Stop = field(default_factory=Stop)

    def __post_init__(self) -> None:
        self.optimizer = optimizer_of(self.model, self.config)
        self.average = Average(self.model, self.config.ema_decay) if self.config.ema_decay else None
        self.guard = Guard(self.config) if self.config.objective == "fast" and self.config.attacks else None
        self.share, self.replica = Share.mine(), Replica(self.model)
        self.objective = objective(self.model, self.config, self.replica.forward)
        self._kept: dict[str, Tensor] = {}
        self._step, self._saved = 0, 0
        self._left: Within | None = None

    def run(self, start: State | None = None) -> list[dict]:
        """Train to the last epoch, leave the weights that are kept in the model, and return a record per epoch.

        Raises
        ------
        Stopped
            in the middle of an epoch, if that is asked for, once the state is saved
        """
        if start:
            self._restore(start)
        while not is_over(self.history, self.config.epochs):
            epoch = len(self.history)
            torch.manual_seed(seeds.derive(self.config.seed, "epoch", epoch) % 2**31)
            self.stop.heeded = True
            tally = self._epoch(epoch)
            self.stop.heeded = False
            judged = self.average.model if self.average else self.model
            with finite_logits(epoch + 1, self._step):
                check_weights(self.model.net, epoch + 1, self._step)
                self.history.append({"epoch": epoch + 1, **tally.to_json(), **self._guarded()})
                last = is_over(self.history, self.config.epochs)
                self.history[-1] |= self.measure(judged, epoch + 1, last)
            if chosen(self.history, self.config.select) == epoch:
                self._kept = snapshot(judged)
            self.save(self._state())
            self.observer.epoch(self.history[-1])
        if self._kept:
            self.model.net.load_state_dict(self._kept)
        self.model.eval()
        return self.history

    def _guarded(self) -> dict:
        return self.guard.check(self.model, self.history) if self.guard else {}

    def _epoch(self, epoch: int) -> Tally:
        tally, begin = Tally(), 0
        self.model.train()
        seed, losses = seeds.derive(self.config.seed, "batch", epoch), list[Tensor]()
        if self._left:
            self._left.restore(tally, self._nets)
            begin, self._left = self._left.step, None
            self._show_guard(epoch, seed, begin)
        self._saved = begin
        for step, (x, y, ids) in enumerate(self.batches.epoch(epoch, begin), begin):
            self._step = step + 1
            x = augment(x, ids, seeds.derive(seed, "augment"), self.config.augment)
            rows = self.batches.sizes[step] if self.batches.sizes else len(x)
            if self.guard:
                self.guard.see(step == 0, rows, x, y, ids)
            weight, of_step, is_last = self._weights(step, len(x), rows)
            for replay in range(self.objective.replays):
                threats = self._threats(self._set_rate(epoch, step, replay), seed, step)
                batch = Batch(x, y, ids, seed, threats, self.share.first(rows), weight)
                with self.replica.weighing(1.0 if of_step else weight, exchange=is_last):
                    with finite_logits(epoch + 1, self._step):
                        outcome = self.objective.outcome(batch)
                    losses.append(outcome.loss.detach())
                    (outcome.loss * of_step if of_step else outcome.loss).backward()
                    self.objective.differentiated()
                if is_last:
                    self._descend()
            if self.share.counts(rows):
                tally.add(len(x), outcome)
            tally.rate = self.optimizer.param_groups[0]["lr"]
            tally.everywhere += rows
            if looks(step, y.device):
                self._check(losses, epoch)
                self.observer.batch(epoch + 1, tally)
            if is_last:
                self._save_within(epoch, tally, losses, looks(step, y.device))
        if losses:
            self._check(losses, epoch)
            self.observer.batch(epoch + 1, tally)
        for net in self._nets:
            self.share.average_buffers(net)
        return tally.over(self.share, next(self.model.parameters()).device)

    @property
    def _nets(self) -> list[nn.Module]:
        return [self.model.net, *([self.average.model.net] if self.average else [])]

    def _show_guard(self, epoch: int, seed: int, begin: int) -> None:
        """Let the guard see the first images of an epoch that goes on at a later batch."""
        for step, (x, y, ids) in enumerate(self.batches.epoch(epoch) if self.guard else ()):
            if step == begin or self.guard is None or (step and self.guard.is_full):
                break
            x = augment(x, ids, seeds.derive(seed, "augment"), self.config.augment)
            self.guard.see(step == 0, self.batches.sizes[step] if self.batches.sizes else len(x), x, y, ids)

    def _save_within(self, epoch: int, tally: Tally, losses: list[Tensor], agrees: bool) -> None:
        """Save the state after a batch whose turn it is, or if the run is to stop, on which all processes agree."""
        asked = self.stop.asked
        if self.share.here.world > 1:
            device = next(self.model.parameters()).device
            asked = agrees and self.share.total([float(asked)], device)[0] > 0
        if not asked and not (self.save_every and self._step - self._saved >= self.save_every):
            return
        if losses:
            self._check(losses, epoch)
        self._saved = self._step
        self.save(replace(self._state(), within=Within.now(self._step, tally, self._nets)))
        if asked:
            raise Stopped

    def _check(self, losses: list[Tensor], epoch: int) -> None:
        """Raise Diverged, naming the first step, unless all these losses, the last ones, are numbers; forget them."""
        first = self._step - (len(losses) - 1) // self.objective.replays
        for index, loss in enumerate(self.share.total(torch.stack(losses).tolist(), losses[0].device)):
            check_loss(loss, epoch + 1, first + index // self.objective.replays)
        losses.clear()

    def _weights(self, step: int, mine: int, rows: int) -> tuple[float, float | None, bool]:
        """What a batch of `rows` images, `mine` of them here, counts for.

        Returns
        -------
        (of the mean loss here in that of the batch, in that of all batches of a step where it takes several, whether
        the step is made after it)
        """
        weight, several, sizes = self.share.weight(mine, rows), self.config.accumulate, self.batches.sizes
        if several == 1 or not sizes:
            return weight, None, True
        first = step - step % several
        of_step = sizes[first : first + several]
        return weight, weight * rows / sum(of_step), step == first + len(of_step) - 1

    def _descend(self) -> None:
        """One optimiser step."""
        self.optimizer.step()
        self.objective.stepped()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average:
            self.average.update(self.model)

    def _threats(self, epochs: float, seed: int, step: int) -> tuple[Threat, ...]:
        """What the adversary may do after so many epochs; radii grow from 0 while it warms up, over passes.

        Of several norms it is one in each batch, the same in all processes, where the configuration says so.
        """
        threats, warmup, passes = self.config.threats, self.config.eps_warmup, epochs * self.objective.replays
        if self.config.union == "random":
            threats = (threats[seeds.derive(seed, "norm", step) % len(threats)],)
        return tuple(threat.scaled(passes / warmup) for threat in threats) if passes < warmup else threats

    def _set_rate(self, epoch: int, step: int, replay: int) -> float:
        """Set the learning rate of this optimiser step; returns the number of epochs that will be done after it."""
        config, replays = self.config, self.objective.replays
        per_epoch = self._per_epoch(step + 1)
        done = epoch * per_epoch + step // config.accumulate * replays + replay
        total = config.epochs * per_epoch
        drops = [drop / config.epochs for drop in config.lr_drops]
        scale = factor(config.schedule, done, total, drops, config.lr_drop_factor)
        for group in self.optimizer.param_groups:
            group["lr"] = config.lr * scale
        return (done + 1) / per_epoch

    def _state(self) -> State:
        index = chosen(self.history, self.config.select)
        kept_is_current = index == len(self.history) - 1 and not self.average and not self.stop.heeded
        return State(
            {
                "model": snapshot(self.model),
                "optimizer": optimizer_state(self.optimizer),
                "objective": self.objective.state(),
                "average": self.average.state() if self.average else {},
                "kept": {} if kept_is_current else self._kept,
            },
            tuple(dict(record) for record in self.history),
            processes=self.share.here.world,
        )

    def _check_state(self, state: State) -> None:
        """Raise AdvtoolError, naming what is wrong, unless this run can have left the state."""
        config, weights, parts = self.config, snapshot(self.model), state.parts
        check_history(state.history, config, state.within is not None)
        check_tensors(parts["model"], weights, "model")
        left = state.within
        done = left.step // config.accumulate * self.objective.replays if left else 0
        steps = len(state.history) * self._per_epoch() + done if self.batches.n else None
        if state.moments:
            check_moments(parts["optimizer"], self.model.net, parts["model"], config, steps)
        check_tensors(parts["objective"], self.objective.state(), "objective", flexible=1)
        check_tensors(parts["average"], self.average.state() if self.average else {}, "average")
        index = chosen(state.history, config.select)
        current = index == len(state.history) - 1 and not self.average and not left
        check_tensors(parts["kept"], {} if current or index is None else weights, "kept")

    def _per_epoch(self, steps: int = 0) -> int:
        """Steps of the optimiser in an epoch; of a source that does not say how many images it has, `steps` batches."""
        batches = len(self.batches.sizes) if self.batches.sizes else steps
        return self.objective.replays * math.ceil(batches / self.config.accumulate)

    def _restore(self, state: State) -> None:
        left, here = state.within, self.share.here
        if left and left.processes != here.world and not isinstance(self.batches, MemoryBatches):
            was = f"{state.name} was left in the middle of an epoch by {left.processes} processes"
            raise UsageError(f"{was}, each with its own stretch of the stream; resume with as many", "resume")
        try:
            self._check_state(state)
        except AdvtoolError as error:
            raise AdvtoolError(f"{state.name}: not as this run left it: {error}; -f starts anew") from None
        self.history = [dict(record) for record in state.history]
        self.model.net.load_state_dict(state.parts["model"])
        restore_optimizer(self.optimizer, state.parts["optimizer"])
        self.objective.restore(state.parts["objective"])
        if self.average:
            self.average.restore(state.parts["average"])
        self._kept = dict(state.parts["kept"] if state.within else state.kept)
        self._left = state.within
