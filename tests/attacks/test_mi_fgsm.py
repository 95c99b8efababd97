"""Attacks that are made to transfer: each of their parts against the papers, written out image by image."""

import pytest
import torch
from attack_problems import Curved, batch, check_contained, linear_problem, survivors
from torch import nn

from advtool import registry
from advtool.attacks import L1, L2, Linf, mi_fgsm
from advtool.attacks.mi_fgsm import _gradient, diverse, smoothed
from advtool.errors import UsageError
from advtool.norms import ball


def published(model, x, y, eps: float, steps: int, momentum: float, norm: str, targeted: bool) -> torch.Tensor:
    """Algorithm 1 of Dong et al. 2018 in linf, and its l2 form, an image at a time in float64."""
    found = []
    for image, label in zip(x.double(), y, strict=True):
        start, now, g = image[None], image[None], torch.zeros_like(image[None])
        for _ in range(steps):
            now = now.detach().requires_grad_(True)
            loss = nn.functional.cross_entropy(model(now), label[None])
            (gradient,) = torch.autograd.grad(-loss if targeted else loss, now)
            g = momentum * g + gradient / gradient.abs().sum()
            step = g.sign() if norm == "linf" else g / g.norm()
            delta = now.detach() + eps / steps * step - start
            delta = delta.clamp(-eps, eps) if norm == "linf" else delta * min(1, eps / float(delta.norm()))
            now = (start + delta).clamp(0, 1)
        found.append(now[0])
    return torch.stack(found).float()


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize(("momentum", "targeted"), [(1.0, False), (0.5, True), (0.0, False)])
def test_it_is_the_published_algorithm(norm, momentum, targeted):
    (x, y), model = batch(), Curved().double().eval()
    expected = published(model, x, y, 0.2, 6, momentum, norm, targeted)
    found = mi_fgsm(Curved().eval(), x, y, ball(norm, 0.2), steps=6, momentum=momentum, targeted=targeted)
    assert torch.allclose(found, expected, atol=1e-4)


def test_momentum_keeps_what_single_gradients_forget():
    x, y = batch()
    runs = [mi_fgsm(Curved().eval(), x, y, L2(1.0), momentum=momentum, steps=8) for momentum in (0.0, 1.0)]
    assert (runs[0] - runs[1]).abs().amax() > 1e-3


@pytest.mark.parametrize(("height", "width"), [(28, 28), (17, 40), (3, 3), (1, 5)])
def test_diversity_is_bilinear_shrinking_and_padding_of_each_image_by_itself(height, width):
    x = torch.rand(50, 2, height, width, generator=torch.Generator().manual_seed(0))
    rows, columns = diverse(x, torch.arange(50), 0.7, seed=3)
    seen, changed, sizes = rows @ x @ columns.mT, 0, set()
    for image, found in zip(x, seen, strict=True):
        if torch.equal(image, found):
            continue
        changed += 1
        candidates = []
        for h in range(max(1, int(0.9 * height)), height + 1):
            for w in range(max(1, int(0.9 * width)), width + 1):
                small = nn.functional.interpolate(image[None], size=(h, w), mode="bilinear", align_corners=False)[0]
                for top in range(height - h + 1):
                    for left in range(width - w + 1):
                        pad = (left, width - w - left, top, height - h - top)
                        candidates.append(((h, w), nn.functional.pad(small, pad)))
        matching = [size for size, made in candidates if torch.allclose(made, found, atol=1e-5)]
        assert matching
        sizes.add(matching[0])
    if width > 28:
        assert {size[1] for size in sizes} == {36, 37, 38, 39}
    if height >= 3:
        assert 0.5 < changed / 50 < 0.9
    assert torch.equal(diverse(x, torch.arange(50), 0.0, seed=3)[0][0, 0], torch.eye(height))


def test_the_gradient_through_a_shrunken_image_is_that_of_the_image():
    (x, y), model = batch(), Curved().eval()
    ids = torch.arange(len(x))
    rows, columns = diverse(x, ids, 1.0, seed=5)
    leaf = x.clone().requires_grad_(True)
    (expected,) = torch.autograd.grad(
        nn.functional.cross_entropy(model(rows @ leaf @ columns.mT), y, reduction="sum"), leaf
    )
    assert torch.allclose(_gradient(model, x, y, ids, 1.0, 5), expected, atol=1e-6)
    assert not torch.allclose(_gradient(model, x, y, ids, 0.0, 5), expected, atol=1e-3)


@pytest.mark.parametrize("side", [1, 3, 7])
def test_smoothing_is_the_mean_gradient_of_shifted_images(side):
    """Dong et al. 2019, equations 5 to 7: the gradient at x shifted by (i, j), shifted back, weighed by a Gaussian."""
    generator = torch.Generator().manual_seed(1)
    gradient = torch.randn(2, 3, 12, 10, generator=generator, dtype=torch.float64)
    reach, expected, total = side // 2, torch.zeros_like(gradient), 0.0
    deviation = max(reach, 1) / 3
    padded = nn.functional.pad(gradient, (reach,) * 4)
    for i in range(-reach, reach + 1):
        for j in range(-reach, reach + 1):
            weight = torch.exp(torch.tensor(-(i * i + j * j) / (2 * deviation**2), dtype=torch.float64))
            total += float(weight)
            expected += weight * padded[:, :, reach + i : reach + i + 12, reach + j : reach + j + 10]
    assert torch.allclose(smoothed(gradient, side), expected / total, atol=1e-12)


def test_a_linear_model_takes_all_that_the_ball_gives():
    model, x, y, distances = linear_problem(40, 64)
    for norm in ("linf", "l2"):
        eps = float(distances[norm].quantile(0.5)) * 1.0005
        clear = (distances[norm] / eps - 1).abs() > 1e-3
        found = survivors(model, mi_fgsm(model, x, y, ball(norm, eps)), y)
        assert torch.equal(found[clear], (distances[norm] > eps)[clear])


def test_it_writes_the_last_iterate_of_a_sure_model_too():
    model, x, y, _ = linear_problem(20, 64)
    plain = mi_fgsm(model, x, y, Linf(0.01))
    model[1].weight.data *= 30
    model[1].bias.data *= 30
    assert torch.allclose(mi_fgsm(model, x, y, Linf(0.01)), plain, atol=1e-6)
    check_contained(mi_fgsm(model, x, y, L1(1.0), diversity=1.0, translation=3), x, "l1", 1.0)


def test_names_preset_what_they_say_and_bad_values_are_refused():
    plan = registry.get("di-mi-fgsm").plan(Linf(0.1))
    assert plan.options["diversity"] == 0.5 and plan.options["momentum"] == 1.0
    assert plan.options["step_size"] == pytest.approx(0.01)
    assert registry.get("mi-fgsm").plan(Linf(0.1)).options["diversity"] == 0
    assert "momentum" not in registry.get("pgd").plan(Linf(0.1)).to_json()
    for asked, words in (({"translation": 4}, "odd"), ({"diversity": 1.5}, "probability"), ({"momentum": -1.0}, "0")):
        with pytest.raises(UsageError, match=words):
            registry.get("mi-fgsm").plan(Linf(0.1), asked)


@pytest.mark.parametrize(("momentum", "translation"), [(1.0, 1), (0.5, 1), (1.0, 5)])
def test_it_makes_the_steps_of_torchattacks(momentum, translation):
    torchattacks = pytest.importorskip("torchattacks")
    generator = torch.Generator().manual_seed(3)
    x, y = torch.rand(10, 3, 9, 9, generator=generator), torch.randint(0, 4, (10,), generator=generator)
    with torch.random.fork_rng():
        torch.manual_seed(4)
        net = nn.Sequential(nn.Conv2d(3, 6, 3), nn.Tanh(), nn.Flatten(), nn.Linear(6 * 49, 4)).eval()
    common = {"eps": 0.1, "alpha": 0.01, "steps": 10, "decay": momentum}
    theirs = torchattacks.MIFGSM(net, **common)
    if translation > 1:
        theirs = torchattacks.TIFGSM(net, **common, len_kernel=translation, nsig=3, diversity_prob=0.0)
    found = mi_fgsm(net, x, y, Linf(0.1), momentum=momentum, translation=translation)
    assert torch.allclose(found, theirs(x, y), atol=1e-6)
