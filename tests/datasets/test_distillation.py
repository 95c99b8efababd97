"""Distillation against known optima, and the starts that it begins from."""

import itertools

import numpy as np
import pytest
import shard_factory as make
import torch
from scipy.optimize import lsq_linear
from torch import nn

from advtool.data.arrays import SampleChecker
from advtool.data.sources import Shards
from advtool.datasets.distill import distill
from advtool.datasets.distilled import DistilledTally, Recipe, default_recipe, distilled_samples
from advtool.datasets.representation import representation
from advtool.datasets.starts import Noise, Pool, gather
from advtool.device import Settings
from advtool.errors import AdvtoolError, UsageError
from advtool.io.head import Head
from advtool.models.classifier import Classifier, ModelSpec
from advtool.models.registry import build

SHAPE = (1, 4, 4)


def model_of(net: nn.Module, shape=SHAPE) -> Classifier:
    channels = shape[0]
    return Classifier(net, ModelSpec("made", ("a", "b"), shape, (0.0,) * channels, (1.0,) * channels)).eval()


def affine(out: int, seed: int = 0) -> Classifier:
    """A network whose representation is W x + b."""
    torch.manual_seed(seed)
    return model_of(nn.Sequential(nn.Flatten(), nn.Linear(16, out), nn.Identity(), nn.Linear(out, 2)))


def test_a_reachable_representation_is_reached():
    torch.manual_seed(1)
    x, start = torch.rand(5, *SHAPE), torch.rand(5, *SHAPE)
    with representation(affine(6)) as g:
        z, first, last = distill(g, x, start, steps=1500, step_size=0.002)
    assert (last < 0.005).all() and (first > 0.05).all()
    assert z.min() >= 0 and z.max() <= 1


def test_an_unreachable_representation_is_approached_as_nearly_as_the_box_allows():
    """Brute force: the bounded least-squares optimum of ‖W z − g‖ over [0, 1]^d, by scipy."""
    model = affine(24)
    scaled = torch.linalg.qr(model.net[1].weight.detach())[0] * torch.linspace(0.7, 1.3, 16)
    model.net[1].weight.data.copy_(scaled)
    weight = scaled.double().numpy()
    torch.manual_seed(2)
    # Outside the box, so that the optimum is on its boundary and not zero.
    x, start = 3 * torch.rand(4, *SHAPE) - 1, torch.rand(4, *SHAPE)
    with representation(model) as g:
        z, _, last = distill(g, x, start, steps=3000, step_size=0.002)
        size = g(x).detach().norm(dim=1).double()
    for index in range(4):
        target = weight @ x[index].flatten().double().numpy()
        best = lsq_linear(weight, target, bounds=(0, 1), tol=1e-12)
        optimum = np.sqrt(2 * best.cost)
        assert optimum > 0.1
        assert float(last[index] * size[index]) == pytest.approx(optimum, rel=5e-3)
    assert z.min() == 0 and z.max() == 1


def test_a_step_has_the_length_it_should_have_and_each_is_clipped():
    x, start = torch.rand(3, *SHAPE), torch.full((3, *SHAPE), 0.5)
    with representation(affine(6)) as g:
        z, *_ = distill(g, x, start, steps=1, step_size=0.1)
        far, *_ = distill(g, x, start, steps=1, step_size=100.0)
    torch.testing.assert_close((z - start).flatten(1).norm(dim=1), torch.full((3,), 0.1))
    assert far.min() == 0 and far.max() == 1


def test_no_step_gives_the_start_and_its_distance():
    x, start = torch.rand(3, *SHAPE), torch.rand(3, *SHAPE)
    with representation(affine(6)) as g:
        z, first, last = distill(g, x, start, steps=0)
        expected = (g(start) - g(x)).norm(dim=1) / g(x).norm(dim=1)
    assert torch.equal(z, start)
    torch.testing.assert_close(first, expected)
    torch.testing.assert_close(last, expected)


def test_an_image_that_is_already_there_stays_without_nan():
    x = torch.rand(2, *SHAPE)
    with representation(affine(6)) as g:
        z, first, last = distill(g, x, x.clone(), steps=5)
    assert torch.equal(z, x)
    assert (first == 0).all() and (last == 0).all()


def test_tol_stops_each_image_for_itself():
    torch.manual_seed(3)
    x, start = torch.rand(6, *SHAPE), torch.rand(6, *SHAPE)
    start[0] = x[0]
    counts = []
    with representation(affine(6)) as g:
        z, _, last = distill(g, x, start, 2000, 0.01, tol=0.05, progress=lambda k, n, _: counts.append((k, n)))
        alone = [distill(g, x[i : i + 1], start[i : i + 1], 2000, 0.01, tol=0.05)[0] for i in range(6)]
    assert (last <= 0.05).all()
    assert torch.equal(z[0], x[0])
    torch.testing.assert_close(z, torch.cat(alone), rtol=0, atol=1e-5)
    assert counts[0] == (16, 5) and counts[-1][1] == 0


def test_the_default_representation_is_what_the_last_affine_layer_takes():
    spec = ModelSpec("cnn-small", tuple("abc"), (1, 8, 8), (0.3,), (0.2,), {"width": 0.1})
    model = build(spec).eval()
    x = torch.rand(2, 1, 8, 8)
    with representation(model) as g:
        found = g(x)
        torch.testing.assert_close(model.net[-1](found), model(x))
    with representation(model, "1") as g:
        torch.testing.assert_close(g(x), model.net[1](model.net[0]((x - 0.3) / 0.2)).flatten(1))
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_layers_that_are_not_there():
    with pytest.raises(UsageError, match="unknown layer '9'"), representation(affine(6), "9"):
        pass
    with pytest.raises(UsageError, match="no fully connected"), representation(model_of(nn.Flatten())):
        pass


def test_nan_in_the_representation_is_an_error():
    model = affine(6)
    model.net[1].bias.data[0] = torch.nan
    with representation(model) as g, pytest.raises(AdvtoolError, match="not finite"):
        distill(g, torch.rand(1, *SHAPE), torch.rand(1, *SHAPE))


@pytest.mark.parametrize(
    ("shape", "noise", "recipe"),
    [
        ((3, 32, 32), False, (1000, 0.1)),
        ((3, 32, 32), True, (10_000, 0.1)),
        ((3, 224, 224), False, (2000, 1.0)),
        ((1, 8, 8), False, (1000, 0.1)),
    ],
)
def test_defaults_are_the_papers(shape, noise, recipe):
    assert default_recipe(shape, noise) == recipe


@pytest.mark.parametrize(("uniform", "mean", "deviation"), [(True, 0.5, 12**-0.5), (False, 0.5, 0.2415)])
def test_noise_is_gaussian_or_uniform_and_each_samples_own(uniform, mean, deviation):
    noise = Noise((3, 40, 40), seed=1, uniform=uniform)
    pixels, keys = noise(["a", "b", "c", "d"])
    assert keys == [None] * 4 and pixels.min() >= 0 and pixels.max() <= 1
    assert pixels.mean() == pytest.approx(mean, abs=0.01) and pixels.std() == pytest.approx(deviation, abs=0.005)
    assert (pixels.eq(0).float().mean() > 0.01) != uniform  # of the Gaussian's mass 2.3% lie below black
    assert torch.equal(noise(["d", "a"])[0], pixels[[3, 0]])


def filled(keys, capacity=1000, seed=0) -> Pool:
    pool = Pool(capacity, seed)
    for index, key in enumerate(keys):
        pool.offer(key, np.full(SHAPE, index, np.uint8))
    return pool


def test_a_start_is_another_image_and_independent_of_order_and_batch():
    keys = [f"k{index}" for index in range(50)]
    pixels, drawn = filled(keys)(keys)
    assert all(start != key for start, key in zip(drawn, keys, strict=True))
    assert torch.equal(pixels[:, 0, 0, 0] * 255, torch.tensor([float(keys.index(key)) for key in drawn]))
    assert filled(keys[::-1])(keys)[1] == drawn
    assert [filled(keys)([key])[1][0] for key in keys] == drawn
    assert filled(keys, seed=1)(keys)[1] != drawn


def test_starts_are_uniform_over_the_other_images():
    keys = [f"k{index}" for index in range(5)]
    draws = [filled(keys, seed=seed)(["k2"])[1][0] for seed in range(2000)]
    counts = [draws.count(key) for key in keys]
    assert counts[2] == 0 and min(counts[:2] + counts[3:]) > 420


def test_a_single_image_has_no_other_to_start_from():
    with pytest.raises(AdvtoolError, match="noise needs none"):
        filled(["only"])(["only"])
    assert Noise(SHAPE, 0)(["only"])[0].shape == (1, *SHAPE)


def test_the_reservoir_is_a_uniform_sample():
    counts = np.zeros(20)
    for seed in range(1000):
        pool = filled([f"k{index:02d}" for index in range(20)], capacity=5, seed=seed)
        counts[[int(key[1:]) for key in {pool([f"x{n}"])[1][0] for n in range(60)}]] += 1
    assert len(pool) == 5
    assert "a random 5" in pool.described
    assert np.abs(counts / 1000 - 0.25).max() < 0.06


@pytest.mark.parametrize("repeatable", [True, False])
def test_a_source_beyond_the_memory_passes_whole_with_a_part_as_starts(tmp_path, repeatable):
    path = make.write_shards(tmp_path, "train", make.samples(30), Head(shape=(1, 8, 8)))
    source = Shards("made", (path,), repeatable=repeatable)
    reader = source.open()
    gathered = gather(source, reader.head, reader, None, 64 * 10, seed=0)
    passed = [sample.key for sample in gathered.samples]
    assert passed == [f"k{index}" for index in range(30)]
    assert len(gathered.pool) == 10
    assert gathered.pool.offered == 30


def test_starts_from_a_pipe_do_not_depend_on_how_many_samples_are_read_ahead(tmp_path):
    path = make.write_shards(tmp_path, "train", make.samples(30), Head(shape=(1, 8, 8)))
    drawn = []
    for size in (1, 7, 64):
        source = Shards("made", (path,), repeatable=False)
        reader = source.open()
        gathered = gather(source, reader.head, reader, None, 64 * 10, seed=0)
        keys = [sample.key for sample in itertools.islice(gathered.samples, size)]
        drawn.append([])
        while keys:
            drawn[-1] += gathered.pool(keys)[1]
            keys = [sample.key for sample in itertools.islice(gathered.samples, size)]
    assert drawn[0] == drawn[1] == drawn[2] and len(drawn[0]) == 30


def test_a_source_that_fits_is_all_in_the_pool(tmp_path):
    path = make.write_shards(tmp_path, "train", make.samples(30), Head(shape=(1, 8, 8)))
    source = Shards("made", (path,), repeatable=False)
    reader = source.open()
    gathered = gather(source, reader.head, reader, 12, 1e9, seed=0)
    assert len(list(gathered.samples)) == len(gathered.pool) == 12
    assert gathered.pool.described == "the whole set, 12 images"


def test_samples_keep_their_labels_say_where_they_came_from_and_do_not_depend_on_the_batch():
    spec = ModelSpec("mlp", tuple("abc"), (1, 8, 8), (0.3,), (0.2,), {"hidden": [16]})
    model = build(spec).eval()
    made = make.samples(7, json=b'{"original_label": 5}')
    pool = Pool(100, 0)
    for sample in made:
        pool.offer(sample.key, sample.pixels())

    def run(batch_size: int):
        check, tally = SampleChecker(Head(shape=(1, 8, 8))), DistilledTally()
        settings = Settings(torch.device("cpu"), batch_size)
        return list(distilled_samples(made, check, model, pool, Recipe(30, 0.1), settings, tally)), tally

    (whole, tally), (single, _) = run(100), run(2)
    for sample, other, original in zip(whole, single, made, strict=True):
        np.testing.assert_allclose(sample.pixels(), other.pixels(), atol=1e-4)
        assert sample.label == original.label
        facts = sample.provenance()
        assert (facts["source"], facts["original_label"]) == (original.key, 5)
        assert facts["start"] in {s.key for s in made} - {original.key}
        assert 0 <= facts["last"] < facts["first"]
    assert tally.n == 7 and tally.last < tally.first
    assert all(p.requires_grad for p in model.parameters())
