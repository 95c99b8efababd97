"""The fast gradient sign method (Goodfellow et al. 2015, https://arxiv.org/abs/1412.6572), in either norm."""

from torch import Tensor, nn

from advtool import seeds
from advtool.attacks.guard import attack, gradient_of, numbered
from advtool.attacks.losses import cross_entropy, log_odds
from advtool.ball import Ball
from advtool.prepared import plain


@attack()
def fgsm(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    ball: Ball,
    *,
    targeted: bool = False,
    random_start: bool = False,
    eot: int = 1,
    ids: Tensor | None = None,
    seed: int = 0,
    amp: bool = False,
) -> Tensor:
    """Increase the cross-entropy of `labels` by one step of the ball's radius.

    Parameters
    ----------
    model : takes pixels in [0, 1], N×C×H×W, returns logits; left exactly as it was found
    inputs : N×C×H×W in [0, 1]
    labels : N, int64; the true classes, or the targets if `targeted`
    ball : around each input, such as ``L2(0.5)`` or ``Linf(8/255)``
    targeted : decrease the cross-entropy of `labels` instead
    random_start : take the gradient at a random point of the ball, make a step of 1.25·eps from there and project
        (FGSM-RS, Wong et al. 2020, https://arxiv.org/abs/2001.03994)
    eot : calls whose mean gradient is followed (expectation over transformation), where the model is random
    ids : N, int64; what the random start of each example is keyed by; its place in the batch by default
    seed : of the random starts
    amp : take the gradient in bfloat16

    Returns
    -------
    Tensor like `inputs`: in the ball around them, and in [0, 1]. The step is the attack: whether it succeeded
    is not looked at

    Raises
    ------
    AdvtoolError
        if the model returns logits that are not finite
    """
    x, alpha = inputs.clone(), ball.eps
    if random_start and ball.eps > 0:
        delta = ball.random(inputs, numbered(inputs, ids), seeds.derive(seed, "start"))
        x, alpha = (inputs + delta).clamp(0, 1), 1.25 * ball.eps
    _, _, gradient = gradient_of(model, x, cross_entropy if plain(model).parts else log_odds, labels)
    if ball.eps == 0:
        return x
    return ball.inside(x + alpha * ball.ascent(-gradient if targeted else gradient, x), inputs)
