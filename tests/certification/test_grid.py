"""Noise in whole steps of a grid: its distribution, its margin, and a network that tells images by their rounding."""

import json
import math

import numpy as np
import pytest
import torch
from scipy.stats import chisquare, norm
from torch import Tensor, nn

from advtool import keyed
from advtool.certification import certify
from advtool.certification.binomial import answers, lower_bound, radius_of
from advtool.certification.grid import BYTES, WORDS, GridNoise
from advtool.certification.votes import on_grid


@pytest.mark.parametrize(("sigma", "levels"), [(0.25, BYTES), (0.004, BYTES), (1.0, WORDS)])
def test_the_distribution_is_a_rounded_gaussian_up_to_the_margin(sigma, levels):
    mpmath = pytest.importorskip("mpmath")
    noise = GridNoise(sigma, levels)
    places = np.unique(np.geomspace(1, len(noise.tail), 60).astype(int)) - 1
    with mpmath.workdps(40):
        scale = mpmath.mpf(sigma) * levels
        exact = [mpmath.erfc((int(j) + mpmath.mpf(0.5)) / scale / mpmath.sqrt(2)) for j in places]
        off = [abs(mpmath.mpf(int(noise.tail[j])) / 2**63 - e) for j, e in zip(places, exact, strict=True)]
    assert all(float(found - mpmath.mpf(2) ** -63) <= noise.errors[j] / 2 for found, j in zip(off, places, strict=True))
    assert noise.tail[-1] == 0 and (np.diff(noise.tail) <= 0).all()
    assert noise.margin(3_072) == pytest.approx(3_072 * noise.margin(1)) and 0 < noise.margin(3_072) < 1e-6


def test_draws_have_that_distribution():
    noise, n = GridNoise(0.01), 200_000
    drawn = noise.draw((n, 1), keyed.draws(7, 0, n), 0)[:, 0]
    edges = np.arange(-8, 9)
    share = np.diff(norm.cdf((np.append(edges, 9) - 0.5) / 2.55))
    counts = np.array([(drawn == k).sum().item() for k in edges])
    expected = share * n
    assert chisquare(counts, expected * counts.sum() / expected.sum()).pvalue > 1e-4
    assert abs(counts.sum() - expected.sum()) < 5 * math.sqrt(n - expected.sum() + 1)
    assert drawn.double().var() == pytest.approx(2.55**2 + 1 / 12, rel=0.02)


def test_a_shortcut_gives_what_searching_gives():
    for noise in (GridNoise(0.5), GridNoise(0.002), GridNoise(0.3, WORDS)):
        ids = keyed.draws(3, 0, 5_000)
        bits = keyed.bits((5_000, 2), ids, 1)
        rising = torch.from_numpy(noise.tail[::-1].copy())
        size = len(rising) - torch.searchsorted(rising, (bits >> 1) & (2**63 - 1), right=True)
        assert torch.equal(noise.draw((5_000, 2), ids, 1), torch.where(bits & 1 == 0, size, -size))


def test_rows_belong_to_their_draw_whatever_they_are_drawn_with():
    noise, ids = GridNoise(0.25), keyed.draws(11, 0, 50)
    whole = noise.draw((50, 3, 4), ids, 5)
    assert torch.equal(noise.draw((20, 3, 4), keyed.draws(11, 30, 20), 5), whole[30:])
    assert len({tuple(row) for row in whole.flatten(1).tolist()}) == 50
    rows = whole.flatten(1).double()
    assert torch.corrcoef(rows).sub(torch.eye(50)).abs().max() < 0.9995
    assert not torch.equal(noise.draw((50, 3, 4), keyed.draws(12, 0, 50), 5), whole)


def test_8_bit_images_are_on_the_grid_and_others_are_near_one():
    pixels = torch.arange(256, dtype=torch.uint8).view(1, 16, 16)
    assert on_grid(pixels).moved == 0 and on_grid(pixels).levels == BYTES
    floats = pixels.float() / 255
    found = on_grid(floats)
    assert found.levels == WORDS and torch.equal(found.steps, pixels.long() * 257) and found.moved < 1e-5
    between = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0))
    moved = on_grid(between).moved
    assert moved == pytest.approx(math.sqrt(3_072 / 12) / WORDS, rel=0.1)


class GivenBack(nn.Module):
    """Class 0 where (z − ¾) + ¾ is z in float32, as of each fl(¾ + noise) and of few others (Voráček and Hein 2023)."""

    def forward(self, x: Tensor) -> Tensor:
        same = ((x - 0.75) + 0.75 == x).flatten(1).all(1).float()
        return torch.stack([same, 1 - same], 1)


def test_rounding_that_a_network_can_see_certifies_nothing_false(tmp_path):
    """Float noise certifies a grey image within 0.79 although a black one, at distance 0.75, has the other answer."""
    model, sigma, n = GivenBack(), 0.25, 10_000
    grey, black = torch.full((1, 1, 1), 0.75), torch.zeros(1, 1, 1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        naive = [model(x + sigma * torch.randn(n, 1, 1, 1)).argmax(1) for x in (grey, black)]
    assert radius_of(lower_bound(int((naive[0] == 0).sum()), n, 0.001), sigma) > 0.75
    assert (
        answers(int((naive[1] == 1).sum()), int((naive[1] == 0).sum()), 1e-9) and (naive[1] == 1).float().mean() > 0.6
    )

    file = tmp_path / "samples.jsonl"
    certify(model, (torch.stack([grey, black]), torch.zeros(2).long()), sigma, samples=n, per_sample=file)
    found = [json.loads(line) for line in file.read_text().splitlines()[1:]]
    assert [each["prediction"] for each in found] == [0, 1]
    # On the grid those below ¼ are the others: so the answer changes at ¼, and no bound says otherwise.
    assert 0.45 < found[0]["radius"] < 0.5 and 0.1 < found[1]["radius"] < 0.25
