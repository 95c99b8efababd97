"""Certificates: closed forms of linear models, slabs and constants, and what their files and reports promise."""

import json
import math
from importlib.resources import files

import numpy as np
import pytest
import torch
from attack_problems import snapshot
from evaluation_problems import digits, linear, tensors
from scipy.stats import binom, norm
from torch import Tensor, nn

from advtool.certification import certify
from advtool.errors import AdvtoolError, UsageError
from advtool.theory.gaussian.decision import TwoGaussians, log_error, threshold


class Plane(nn.Module):
    """Two classes on the sides of a plane; `width` makes the first one a slab around it."""

    def __init__(self, w: Tensor, b: float, width: float | None = None):
        super().__init__()
        self.w, self.b, self.width = w, b, width

    def forward(self, x: Tensor) -> Tensor:
        t = (x.flatten(1).double() @ self.w + self.b) / self.w.norm()
        first = t if self.width is None else self.width - t.abs()
        return torch.stack([first, -first], 1)


def lines(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()[1:]]


def anisotropic(dim: int) -> Tensor:
    return torch.logspace(0, 2, dim, dtype=torch.float64) * torch.tensor([1.0, -1.0]).repeat(dim // 2).double()


def images(n: int, dim: int, seed: int = 0) -> Tensor:
    """8-bit images as floats."""
    return torch.randint(0, 256, (n, 1, 1, dim), generator=torch.Generator().manual_seed(seed)).float() / 255


@pytest.mark.parametrize("sigma", [0.1, 0.5])
def test_radii_of_a_linear_model_are_below_the_exact_one_and_near_it(sigma, tmp_path):
    x, w = images(16, 6), anisotropic(6)
    model = Plane(w, -0.5 * float(w.sum()))
    distances = ((x.flatten(1).double() @ w + model.b) / w.norm()).abs()
    labels = model(x).argmax(1)
    certify(model, (x, labels), sigma, samples=10_000, alpha=0.001, per_sample=tmp_path / "s")
    found = lines(tmp_path / "s")
    for each, exact in zip(found, distances.tolist(), strict=True):
        assert each["radius"] <= exact
        if each["prediction"] is None:
            assert exact < 0.1 * sigma
        elif exact < 2.5 * sigma:
            p, n = norm.cdf(exact / sigma), 10_000
            slack = 8 * math.sqrt(p * (1 - p) / n) / norm.pdf(exact / sigma) * sigma
            assert each["radius"] > exact - slack - 1e-3 and each["prediction"] == labels[found.index(each)]


@pytest.mark.slow
def test_one_image_certified_10_000_times_exceeds_the_exact_radius_as_rarely_as_promised(tmp_path):
    """Copies of an image under other keys have other draws."""
    w, alpha = torch.tensor([3.0, -1.0], dtype=torch.float64), 0.01
    image = torch.tensor([150.0, 90.0]).view(1, 1, 1, 2) / 255
    model = Plane(w, -0.5 * float(w.sum()))
    exact = float((image.flatten().double() @ w + model.b) / w.norm())
    assert exact > 0.05
    everywhere = image.expand(10_000, 1, 1, 2).contiguous()
    found = certify(model, (everywhere, torch.zeros(10_000).long()), 0.25, samples=200, alpha=alpha, n0=10,
                    radius=[exact * 1.0001, exact * 0.2])["certified"]  # fmt: skip
    assert found[1]["correct"] <= binom.isf(1e-4, 10_000, alpha) and found[0]["correct"] > 500


def test_a_slab_and_a_constant_have_the_radii_of_their_probabilities(tmp_path):
    w, sigma, n = anisotropic(4), 0.25, 20_000
    x = images(20, 4)
    middle = float((x.flatten(1).double() @ w).median())
    slab = Plane(w, -middle, width=0.15)
    certify(slab, (x, torch.zeros(20).long()), sigma, samples=n, per_sample=tmp_path / "s")
    t = (x.flatten(1).double() @ w - middle) / w.norm()
    inside = norm.cdf((0.15 - t) / sigma) - norm.cdf((-0.15 - t) / sigma)
    answered = 0
    for each, p, place in zip(lines(tmp_path / "s"), inside, t.abs().tolist(), strict=True):
        share = max(p, 1 - p)
        assert each["p_lower"] <= share + 3e-3 * (share < 0.51)
        if each["prediction"] is not None and each["radius"] > 0.02:
            answered += 1
            assert each["prediction"] == (0 if p > 0.5 else 1)
            assert sigma * norm.ppf(share) * 0.9 - 0.02 < each["radius"] < sigma * norm.ppf(share)
            # The answer changes where the slab has half of the votes, which is farther away than the radius says.
            half = next(
                s
                for s in np.linspace(0, 2, 4_001)
                if norm.cdf((0.15 - s) / sigma) - norm.cdf((-0.15 - s) / sigma) < 0.5
            )
            assert each["radius"] <= abs(place - half) + 1e-3 or p <= 0.5
    assert answered > 10

    constant = Plane(torch.zeros(4, dtype=torch.float64) + 1e-9, 1.0)
    report = certify(constant, (x, torch.zeros(20).long()), sigma, samples=n)
    saturated = sigma * norm.ppf(0.001 ** (1 / n))
    assert report["mean_radius"] == pytest.approx(saturated, rel=1e-6) and report["mean_radius"] <= saturated
    assert report["samples_drawn"] == 20 * (n + 100) and report["abstained"] == 0


def test_two_gaussians_are_certified_as_the_theory_of_their_l2_adversary_says():
    """N(½ ± 0.1·v, 0.06²) along v: certified accuracy at r is 1 − the theory's adversarial error of the threshold."""
    theory = TwoGaussians(0.2, 0.06, 0.06)
    direction, n = anisotropic(4) / anisotropic(4).norm(), 600
    labels = torch.arange(n) % 2
    sides = torch.where(labels == 0, 0.1, -0.1)
    along = sides + 0.06 * torch.randn(n, generator=torch.Generator().manual_seed(0))
    x = (0.5 + along[:, None].double() * direction).float().view(-1, 1, 1, 4)
    assert x.min() >= 0 and x.max() <= 1
    plane, radii = Plane(direction, -0.5 * float(direction.sum())), [0.0, 0.05, 0.1]
    report = certify(plane, (x, labels), 0.1, samples=5_000, radius=radii)
    for entry, r in zip(report["certified"], radii, strict=True):
        exact = 1 - math.exp(log_error(theory, threshold(theory), r))
        low, high = entry["ci95"]
        assert low <= exact <= high + entry["undecided"] / n


def test_batches_keys_and_order_leave_certificates_as_they_are(tmp_path):
    model, images = linear(), digits(12)
    whole = certify(model, images, 0.25, samples=600, per_sample=tmp_path / "a", batch_size=512)
    certify(model, images.take(np.arange(12)[::-1]), 0.25, samples=600, per_sample=tmp_path / "b", batch_size=7)
    assert lines(tmp_path / "a") == lines(tmp_path / "b")[::-1]
    again = certify(model, images, 0.25, samples=600)
    for report in (whole, again):
        del report["seconds"], report["images_per_second"]
    assert whole == again
    assert certify(model, images, 0.25, samples=600, seed=1)["mean_radius"] != whole["mean_radius"]


def test_an_interrupted_run_goes_on_and_other_runs_are_refused(tmp_path, monkeypatch):
    model, images, file = linear(), digits(8), tmp_path / "s.jsonl"
    whole = certify(model, images, 0.25, samples=400, per_sample=tmp_path / "whole")
    certify(model, images.take(np.arange(5)), 0.25, samples=400, per_sample=file)
    head = file.read_bytes()
    (found,) = {len(lines(file))}
    assert found == 5
    resumed = certify(model, images, 0.25, samples=400, per_sample=file)
    assert file.read_bytes().startswith(head) and file.read_bytes() == (tmp_path / "whole").read_bytes()
    assert resumed["certified"] == whole["certified"]
    for other in ({"sigma": 0.3}, {"alpha": 0.01}, {"samples": 401}, {"radius": 0.1}, {"seed": 1}):
        with pytest.raises(AdvtoolError, match="another run"):
            certify(model, images, **{"sigma": 0.25, "samples": 400, **other}, per_sample=file)


def test_every_line_has_its_fields_and_abstains_with_null(tmp_path):
    certify(linear(), digits(30), 0.5, samples=100, alpha=1e-6, per_sample=tmp_path / "s")
    found = lines(tmp_path / "s")
    assert [*found[0]][:6] == ["key", "label", "prediction", "radius", "p_lower", "samples"]
    abstained = [each for each in found if each["prediction"] is None]
    assert 0 < len(abstained) < 30 and all(each["radius"] == 0 for each in abstained)
    assert all(each["p_lower"] > 0.5 for each in found if each["prediction"] is not None)


@pytest.fixture(scope="module")
def validate():
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(files("advtool").joinpath("schemas/certify.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema).validate


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"radius": [0.25, 0.1]},
        {"radius": 0.0},
        {"predict": True},
        {"family": True},
        {"bracket": True},
        {"alpha": 0.05, "n0": 10},
    ],
    ids=str,
)
def test_every_report_follows_the_schema(validate, options):
    model, images = linear(), digits(10)
    before = snapshot(model)
    report = certify(model, images, 0.25, **{"samples": 300, **options})
    validate(json.loads(json.dumps(report, allow_nan=False)))
    assert snapshot(model) == before
    radii = [entry["radius"] for entry in report["certified"]]
    assert radii == sorted(radii) and (not options.get("radius") or radii == sorted(np.atleast_1d(options["radius"])))
    for entry in report["certified"] if report["percentiles"] else ():
        beyond = sum(radius >= entry["radius"] for radius in report["percentiles"][1:])
        assert entry["radius"] == 0 or beyond / 100 == pytest.approx(entry["accuracy"], abs=0.0101)
    correct = [entry["correct"] for entry in report["certified"]]
    assert correct == sorted(correct, reverse=True)


def test_a_family_shares_alpha_and_asks_for_more():
    model, images = linear(), digits(20)
    alone = certify(model, images, 0.25, samples=300)
    together = certify(model, images, 0.25, samples=300, family=True)
    each = certify(model, images, 0.25, samples=300, alpha=0.001 / 20)
    assert together["mean_radius"] == each["mean_radius"] < alone["mean_radius"]
    assert "all 20 images" in together["guarantee"] and together["alpha_is_of"] == "all images"


def test_the_bracket_is_around_the_exact_distance_of_a_linear_model(tmp_path):
    x, w = images(12, 6), anisotropic(6)
    model = Plane(w, -0.5 * float(w.sum()))
    distances = ((x.flatten(1).double() @ w + model.b) / w.norm()).abs()
    report = certify(model, (x, model(x).argmax(1)), 0.25, samples=3_000, bracket=True, per_sample=tmp_path / "s")
    between = 0
    for each, exact in zip(lines(tmp_path / "s"), distances.tolist(), strict=True):
        if each["distance"] is not None:
            assert each["radius"] <= exact <= each["distance"] * (1 + 1e-3)
            between += each["distance"] < 1.3 * exact + 0.05
    assert between >= 6 and report["bracket"]["smallest_gap"] > 0
    for entry in report["certified"]:
        exact = int((distances >= entry["radius"]).sum())
        assert entry["correct"] <= exact <= entry["attacked"]["correct"] + report["abstained"]


class Turncoat(Plane):
    """Answers the other class to all that it is asked after so many images."""

    left = 5_000

    def forward(self, x: Tensor) -> Tensor:
        self.left -= len(x)
        return super().forward(x) + (torch.tensor([-1.0, 1.0]) * 0.2 if self.left < 0 else 0.0)


def test_a_contradiction_ends_the_run_with_its_key(tmp_path):
    w, x = torch.tensor([1.0, 2.0], dtype=torch.float64), torch.full((1, 1, 1, 2), 0.6)
    with pytest.raises(AdvtoolError, match=r"00000000: contradiction: certified within 0\.1\d*, .* found at 0\.0"):
        certify(Turncoat(w, -1.4), (x, torch.zeros(1).long()), 0.25, samples=4_000, bracket=True, batch_size=1_000)


def test_predictions_are_those_of_most_votes():
    x, y = tensors(digits(20))
    report = certify(linear(), (x, y), 0.1, predict=True)
    assert report["certified"] == [] and report["mean_radius"] is None and report["samples_drawn"] == 20_000
    assert report["smoothed"]["correct"] + report["abstained"] + report["wrong"] == 20
    assert report["smoothed"]["correct"] >= 17


def test_early_stopping_certifies_the_same_with_fewer_draws():
    model, images = linear(), digits(40)
    fixed = certify(model, images, 0.25, samples=10_000)
    early = certify(model, images, 0.25, samples=10_000, radius=0.25)
    at = {entry["radius"]: entry["correct"] for entry in fixed["certified"]}
    assert abs(early["certified"][0]["correct"] - at[0.25]) <= 1 + early["certified"][0]["undecided"]
    assert early["samples_drawn"] * 5 < fixed["samples_drawn"]


class NotANumber(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.full((len(x), 2), math.nan)


@pytest.mark.parametrize(
    ("options", "parameter"),
    [
        ({"radius": 2.0}, "radius"),
        ({"alpha": 1.0}, "alpha"),
        ({"predict": True, "radius": 0.1}, "radius"),
        ({"n0": 0}, "n0"),
        ({"bracket": True, "radius": 0.1}, "bracket"),
    ],
)
def test_what_has_no_meaning_is_refused_by_name(options, parameter):
    with pytest.raises(UsageError) as caught:
        certify(linear(), digits(3), 0.25, **options)
    assert caught.value.parameter == parameter


def test_logits_that_are_no_numbers_end_the_run():
    with pytest.raises(AdvtoolError, match="not finite"):
        certify(NotANumber(), digits(3), 0.25, samples=100)
