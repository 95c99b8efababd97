"""Nothing is lost and nothing is left when a command is killed at a random moment."""

import kills
import pytest


def check(count: int, seed: int, place, names=()) -> None:
    outcomes = kills.run(count, seed, place, names)
    print(kills.table(outcomes))
    assert sum(outcome.n for outcome in outcomes.values()) == count
    assert [fault for outcome in outcomes.values() for fault in outcome.faults] == []


def test_commands_that_are_soon_done_are_killed_once(tmp_path):
    check(4, 1, tmp_path, ("train", "relabel", "data", "explain"))


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_hundred_kills(tmp_path):
    check(112, 0, tmp_path)
