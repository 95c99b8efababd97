"""What explain is asked to do, with every default resolved."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from advtool.errors import unknown
from advtool.explain import saliency
from advtool.explain.interpolate import POINTS
from advtool.explain.large_eps import default_eps, default_step_size, default_steps
from advtool.explain.methods import ATTRIBUTIONS, Method, chosen
from advtool.norms import check_radius, with_directions

COLUMNS = 10


@dataclass(frozen=True)
class Attributor:
    """One attribution with its settings, of which its method uses those that `methods.METHODS` says.

    Attributes
    ----------
    method : one of `methods.ATTRIBUTIONS`
    of : what is attributed to pixels, ``loss`` or ``logit``
    baseline : grey level that integrated gradients start from, on the [0, 1] pixel scale
    variance : of the noise of SmoothGrad, in pixels²
    copies : noisy copies of SmoothGrad
    steps : points of integrated gradients; None means as many as each image needs for an error of at most 1%, 64 to
        4,096
    seed : of the noise of SmoothGrad
    """

    method: str
    of: str
    baseline: float
    variance: float
    copies: int
    steps: int | None
    seed: int

    def __call__(self, model: nn.Module, inputs: Tensor, labels: Tensor, ids: Tensor) -> Tensor:
        """The attribution of a batch N×C×H×W, of the same shape."""
        if self.method == "gradient":
            return saliency.gradient(model, inputs, labels, self.of)
        if self.method == "integrated-gradients":
            return saliency.integrated_gradients(
                model, inputs, labels, self.of, baseline=self.baseline, steps=self.steps
            )
        return saliency.smoothgrad(
            model, inputs, labels, self.of, variance=self.variance, copies=self.copies, ids=ids, seed=self.seed
        )

    @property
    def is_complete(self) -> bool:
        """Whether it should sum to the change of what it is of."""
        return self.method == "integrated-gradients"

    @property
    def facts(self) -> dict:
        """For reports and provenance."""
        own: dict[str, dict] = {
            "integrated-gradients": {"baseline": self.baseline, "steps": self.steps},
            "smoothgrad": {"variance": self.variance, "copies": self.copies},
        }
        return {"method": self.method, "of": self.of, **own.get(self.method, {})}


@dataclass(frozen=True)
class Pursuit:
    """Where PGD goes in large-eps and interpolate.

    Attributes
    ----------
    norm, eps : of the ball, eps on the [0, 1] pixel scale
    target : ``random``, ``none``, or a class by its name or label
    steps, step_size : of PGD
    """

    norm: str
    eps: float
    target: str
    steps: int
    step_size: float

    @property
    def facts(self) -> dict:
        return {"adv": self.norm, "eps": self.eps, "steps": self.steps, "target": self.target}


@dataclass(frozen=True)
class Explanation:
    """What to explain, and how to draw it.

    Attributes
    ----------
    methods : one, or several attributions
    attributors : of the methods that are attributions
    pursuit : of large-eps and interpolate
    points : pictures of interpolate
    columns : images to draw, of those used
    seed : of random targets
    """

    methods: tuple[Method, ...]
    attributors: tuple[Attributor, ...]
    pursuit: Pursuit
    points: int
    columns: int
    seed: int

    @classmethod
    def resolve(
        cls,
        methods: Sequence[str],
        shape: tuple[int, int, int],
        *,
        of: str | None = None,
        baseline: float = 0.0,
        variance: float = saliency.SMOOTHGRAD_VARIANCE,
        norm: str = "l2",
        eps: float | None = None,
        target: str = "none",
        steps: int | None = None,
        step_size: float | None = None,
        points: int = POINTS,
        columns: int = COLUMNS,
        seed: int = 0,
    ) -> "Explanation":
        """Fill in the defaults: by method, and by the shape (C, H, W) of the images.

        `of` is the loss for gradient alone, else the logit, so that a colour means the same in all rows of a picture;
        `steps` are 50 copies for smoothgrad, and of PGD 40 in l2 and 120 in linf; `eps` is that of Tsipras et al. 2018
        for the size; `step_size` is 1.5·eps/steps, 1.44·eps/steps in linf, as in their code.

        Raises
        ------
        UsageError
            for a method, quantity or norm that does not exist, a radius on another scale, and for lists of methods that
            do not go together
        """
        if of is not None and of not in saliency.QUANTITIES:
            raise unknown("quantity", of, saliency.QUANTITIES, parameter="of")
        if norm not in with_directions():
            raise unknown("norm", norm, with_directions(), parameter="adv")
        if eps is not None:
            check_radius(norm, eps, shape)
        found = chosen(methods)
        copies = saliency.SMOOTHGRAD_COPIES if steps is None else steps
        of = of or ("loss" if set(methods) == {"gradient"} else "logit")
        attributors = tuple(
            Attributor(name, of, baseline, variance, copies, steps, seed) for name in methods if name in ATTRIBUTIONS
        )
        radius = default_eps(norm, shape) if eps is None else eps
        many = default_steps(norm) if steps is None else steps
        size = default_step_size(norm, radius, many) if step_size is None else step_size
        return cls(found, attributors, Pursuit(norm, radius, target, many, size), points, columns, seed)

    def decided(self) -> dict[str, Any]:
        """Parameters of `resolve` that give this again, where one value of each serves all methods."""
        found: dict[str, Any] = {}
        if all("eps" in method.takes for method in self.methods):
            pursuit = self.pursuit
            found |= {"eps": pursuit.eps, "steps": pursuit.steps, "step_size": pursuit.step_size}
        quantities = {attributor.of for attributor in self.attributors}
        if len(quantities) == 1:
            found["of"] = quantities.pop()
        if len(self.attributors) == 1 and self.methods[0].name == "smoothgrad":
            found["steps"] = self.attributors[0].copies
        return found

    def to_json(self) -> list[dict]:
        """The settings that each method uses."""
        found = [attributor.facts for attributor in self.attributors]
        for method in self.methods:
            if not method.is_attribution:
                settings = self.pursuit.facts | {"step_size": self.pursuit.step_size} if "eps" in method.takes else {}
                settings |= {"points": self.points} if "points" in method.takes else {}
                found.append({"method": method.name, **settings})
        return found
