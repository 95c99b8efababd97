import hashlib
import math

import pytest
import scipy.stats
import torch

from advtool import keyed, seeds

MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15


def mix(x: int) -> int:
    """SplitMix64's finaliser as published (Steele, Lea and Flood 2014; Vigna's splitmix64.c)."""
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & MASK
    return x ^ (x >> 31)


def reference(identity: int, seed: int, index: int) -> float:
    """Number `index` of an example, in plain integers."""
    start = mix(identity + mix(seed * GOLDEN + 1 & MASK) & MASK)
    return (mix(start + (index + 1) * GOLDEN & MASK) >> 40) / (1 << 24)


def ids(n: int, start: int = 0) -> torch.Tensor:
    return keyed.ids_of(f"sample-{i}" for i in range(start, start + n))


def test_the_reference_is_splitmix64():
    """The first outputs of splitmix64 seeded with 0 and 1234567, as other implementations give them."""
    assert mix(GOLDEN) == 0xE220A8397B1DCDAF
    assert mix(1234567 + GOLDEN) == 6457827717110365317
    assert mix(1234567 + 2 * GOLDEN & MASK) == 3203168211198807973


@pytest.mark.parametrize("seed", [0, 1, 123456789, (1 << 56) - 1])
def test_uniform_is_the_published_hash(seed):
    identities = [0, 1, -1, 1 << 62, -(1 << 63), 987654321]
    drawn = keyed.uniform((len(identities), 2, 3), torch.tensor(identities), seed)
    expected = [[reference(identity & MASK, seed, i) for i in range(6)] for identity in identities]
    assert drawn.dtype == torch.float32
    assert drawn.view(len(identities), 6).tolist() == expected


def test_ids_are_blake2b_of_the_key():
    keys = ["a", "", "folder/ü", "\udcff"]
    digests = [hashlib.blake2b(key.encode("utf-8", "surrogateescape"), digest_size=8).digest() for key in keys]
    assert keyed.ids_of(keys).tolist() == [int.from_bytes(digest, "little", signed=True) for digest in digests]
    assert keyed.ids_of([]).shape == (0,)


def test_ids_of_many_keys_differ():
    assert len(ids(50_000).unique()) == 50_000


def test_derive_depends_on_every_part_and_fits_where_seeds_go():
    found = {seeds.derive(*parts) for parts in [(0,), (1,), (0, "a"), (0, "b"), (0, "a", 1), (0, "a", 2), (0, 1, 2)]}
    assert len(found) == 7
    assert all(0 <= seed < 1 << 56 for seed in found)
    assert seeds.derive(3, "order", 5) == seeds.derive(3, "order", 5)


def test_derived_seeds_are_the_same_in_every_version():
    """Changing them would change every seeded result."""
    digest = hashlib.blake2b(b"3/order/5", digest_size=8).digest()
    assert seeds.derive(3, "order", 5) == int.from_bytes(digest, "little") >> 8


@pytest.mark.parametrize("draw", [keyed.uniform, keyed.normal])
def test_a_row_does_not_depend_on_its_batch(draw):
    whole = draw((20, 3, 4, 4), ids(20), 7)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(draw((20, 3, 4, 4), ids(20)[order], 7), whole[order], rtol=0, atol=0)
    for i in range(0, 20, 3):
        torch.testing.assert_close(draw((1, 3, 4, 4), ids(20)[i : i + 1], 7)[0], whole[i], rtol=0, atol=0)


@pytest.mark.parametrize("draw", [keyed.uniform, keyed.normal])
def test_equal_ids_give_equal_rows_and_draws_repeat(draw):
    same = ids(1).repeat(3)
    drawn = draw((3, 5), same, 1)
    assert (drawn == drawn[0]).all()
    assert torch.equal(drawn, draw((3, 5), same, 1))


def test_a_longer_row_starts_with_the_shorter_one():
    assert torch.equal(keyed.uniform((4, 10), ids(4), 0)[:, :6], keyed.uniform((4, 6), ids(4), 0))


@pytest.mark.parametrize("shape", [(0, 3), (5,), (5, 1, 1, 1), (2, 0)])
def test_shapes_at_the_edge(shape):
    assert keyed.uniform(shape, ids(shape[0]), 0).shape == shape


@pytest.mark.parametrize("layout", [(1, 40_000), (40_000, 1), (200, 200)], ids=["one long row", "many rows", "both"])
@pytest.mark.parametrize("seed", [0, 1, 2**40])
def test_uniform_is_uniform(layout, seed):
    drawn = keyed.uniform(layout, ids(layout[0]), seed).flatten().double()
    assert drawn.min() >= 0
    assert drawn.max() < 1
    deviation = 5 / math.sqrt(len(drawn))
    assert abs(drawn.mean() - 1 / 2) < deviation * math.sqrt(1 / 12)
    assert abs(drawn.var() - 1 / 12) < deviation * math.sqrt(1 / 180)
    assert scipy.stats.kstest(drawn.numpy(), "uniform").pvalue > 1e-4


def test_uniform_never_reaches_one():
    assert float(keyed.uniform((1000, 4000), ids(1000), 3).max()) < 1


@pytest.mark.parametrize("layout", [(1, 40_000), (40_000, 1), (200, 200)], ids=["one long row", "many rows", "both"])
def test_normal_is_normal(layout):
    drawn = keyed.normal(layout, ids(layout[0]), 11).flatten().double()
    assert drawn.isfinite().all()
    n = len(drawn)
    for power, moment, variance in [(1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)]:
        assert abs((drawn**power).mean() - moment) < 5 * math.sqrt(variance / n), power
    assert scipy.stats.kstest(drawn.numpy(), "norm").pvalue > 1e-4


def correlation(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(torch.corrcoef(torch.stack([a.flatten().double(), b.flatten().double()]))[0, 1])


LIMIT = 5 / math.sqrt(40_000)


@pytest.mark.parametrize("draw", [keyed.uniform, keyed.normal])
def test_neighbouring_seeds_are_uncorrelated(draw):
    rows = [draw((200, 200), ids(200), seed) for seed in (0, 1, 2, 3, 4)]
    for i, a in enumerate(rows):
        for b in rows[i + 1 :]:
            assert abs(correlation(a, b)) < LIMIT


def test_neighbouring_ids_and_positions_are_uncorrelated():
    drawn = keyed.uniform((201, 201), torch.arange(201), 0)
    assert abs(correlation(drawn[1:, 1:], drawn[:-1, 1:])) < LIMIT
    assert abs(correlation(drawn[1:, 1:], drawn[1:, :-1])) < LIMIT
    assert abs(correlation(drawn[1:, 1:], drawn[:-1, :-1])) < LIMIT


def test_ids_that_differ_by_the_step_of_the_generator_do_not_overlap():
    """A plain counter generator would give the second row as the first one shifted by one."""
    golden = GOLDEN - (1 << 64)
    drawn = keyed.uniform((2, 1000), torch.tensor([5, 5 + golden]), 0)
    assert not (drawn[0, 1:] == drawn[1, :-1]).any()


def test_normal_and_uniform_of_one_seed_are_uncorrelated():
    uniform, normal = keyed.uniform((200, 200), ids(200), 5), keyed.normal((200, 200), ids(200), 5)
    assert abs(correlation(uniform, normal)) < LIMIT
    assert abs(correlation(uniform, normal**2)) < LIMIT
