"""What attacks maximise: per-example losses of logits N×K, each returns N."""

import torch
import torch.nn.functional as F
from torch import Tensor


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy in nats."""
    return F.cross_entropy(logits, labels, reduction="none")


def log_odds(logits: Tensor, labels: Tensor) -> Tensor:
    """Log-odds against the label. The cross-entropy is its softplus, so both have the same order and their gradients
    the same direction; but this one's does not vanish in float32 where the model is sure of the label.
    """
    if logits.shape[1] == 1:
        return 0 * logits[:, 0]
    own = logits.gather(1, labels[:, None])[:, 0]
    return logits.scatter(1, labels[:, None], -torch.inf).logsumexp(1) - own


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """Largest other logit minus the label's: positive exactly where the label is not predicted."""
    own = logits.gather(1, labels[:, None])[:, 0]
    others = logits.scatter(1, labels[:, None], -torch.inf)
    return others.amax(1) - own


def dlr(logits: Tensor, labels: Tensor) -> Tensor:
    """Difference of logits ratio (Croce and Hein 2020, equation 6); needs three classes.

    Invariant to shifting and scaling the logits; positive exactly where the label is not predicted.
    """
    top = logits.sort(dim=1, descending=True).values
    return margin(logits, labels) / (top[:, 0] - top[:, 2] + 1e-12)


def targeted_dlr(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    """Targeted difference of logits ratio (Croce and Hein 2020, equation 7); needs four classes."""
    top = logits.sort(dim=1, descending=True).values
    return targeted_margin(logits, labels, targets) / (top[:, 0] - (top[:, 2] + top[:, 3]) / 2 + 1e-12)


def kl(reference: Tensor, logits: Tensor) -> Tensor:
    """Kullback–Leibler divergence of softmax(logits) from softmax(reference), in nats."""
    log_p = reference.log_softmax(1)
    return (log_p.exp() * (log_p - logits.log_softmax(1))).sum(1)


def targeted_margin(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    """The target's logit minus the label's."""
    return logits.gather(1, targets[:, None])[:, 0] - logits.gather(1, labels[:, None])[:, 0]
