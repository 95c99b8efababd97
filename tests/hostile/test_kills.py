"""Nothing is lost and nothing is left when a command is killed at a random moment."""

import kills
import pytest


def check(count: int, seed: int, place) -> None:
    outcomes = kills.run(count, seed, place)
    print(kills.table(outcomes))
    assert sum(outcome.n for outcome in outcomes.values()) == count
    assert [fault for outcome in outcomes.values() for fault in outcome.faults] == []


def test_each_command_is_killed_once(tmp_path):
    check(7, 1, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_hundred_kills(tmp_path):
    check(112, 0, tmp_path)
