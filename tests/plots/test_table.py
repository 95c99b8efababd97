"""Reports as rows and series."""

import math
import statistics

import pytest

from advtool.errors import AdvtoolError, UsageError
from advtool.plots import records, series, table

REPORT = {
    "checkpoint": {"path": "a/m.safetensors"},
    "clean": {"accuracy": 0.9, "ci95": [0.8, 0.95]},
    "adversarial": [
        {"eps": 0.5, "accuracy": 0.4, "ci95": [0.3, 0.5], "breakdown": [{"attack": "pgd", "broken": 3}]},
        {"eps": 0.25, "accuracy": 0.7, "ci95": [0.6, 0.75], "breakdown": [{"attack": "pgd", "broken": 1}]},
    ],
    "flags": [],
}


def test_every_field_has_a_path_and_a_name_that_only_one_ends_in_is_enough():
    known = table.paths([REPORT])
    assert "adversarial.breakdown.broken" in known and "checkpoint.path" in known
    assert table.resolved("eps", known, "x") == "adversarial.eps"
    with pytest.raises(UsageError, match=r"clean\.accuracy or adversarial\.accuracy"):
        table.resolved("accuracy", known, "y")
    with pytest.raises(UsageError, match="no report has this field"):
        table.resolved("epsilon", known, "x")


def test_a_list_gives_a_row_for_each_entry_and_fields_around_it_are_repeated():
    wanted = ["adversarial.eps", "adversarial.breakdown.broken", "clean.accuracy"]
    found = [{name: row[name] for name in wanted} for row in table.rows([REPORT], wanted)]
    assert found == [
        {"adversarial.eps": 0.5, "adversarial.breakdown.broken": 3, "clean.accuracy": 0.9},
        {"adversarial.eps": 0.25, "adversarial.breakdown.broken": 1, "clean.accuracy": 0.9},
    ]


def test_one_value_keeps_its_interval_and_several_become_mean_and_deviation():
    x, y = "adversarial.eps", "adversarial.accuracy"
    (panel,) = series.panels(table.rows([REPORT], [x, y]), x, y)
    (line,) = panel.series
    assert [(point.x, point.y) for point in line.points] == [(0.25, 0.7), (0.5, 0.4)]
    assert (line.points[0].below, line.points[0].above) == pytest.approx((0.1, 0.05))
    other = {"adversarial": [{"eps": 0.5, "accuracy": 0.5}, {"eps": 1, "accuracy": None}]}
    (panel,) = series.panels(table.rows([REPORT, other], [x, y]), x, y)
    assert panel.skipped == 1 and panel.averaged == 2
    point = panel.series[0].points[1]
    assert point.y == pytest.approx(0.45) and point.above == pytest.approx(statistics.stdev([0.4, 0.5]))


def test_series_and_panels_are_in_the_order_in_which_they_are_met():
    rows = [{"x": i, "y": i * s, "s": f"b{s}.safetensors", "p": p} for p in "ZA" for s in (3, 1) for i in (2, 1)]
    found = series.panels(rows, "x", "y", ["s"], "p")
    assert [panel.title for panel in found] == ["Z", "A"]
    assert [line.label for line in found[0].series] == ["b3", "b1"]
    assert [point.y for point in found[0].series[0].points] == [3, 6]


@pytest.mark.parametrize("value", [True, "0.5", None, math.nan, math.inf, [1]])
def test_what_is_no_number_is_skipped_and_counted(value):
    (panel,) = series.panels([{"x": 1, "y": value}], "x", "y")
    assert panel.skipped == 1 and not panel.series


def test_lines_objects_and_lists_are_read():
    assert list(records.parsed(b'{"a": 1}\n\n{"a": 2}\n', "f")) == [{"a": 1}, {"a": 2}]
    assert list(records.parsed(b'{\n "a": 1\n}', "f")) == list(records.parsed(b'[{"a": 1}]', "f")) == [{"a": 1}]
    for data, says in ((b"", "empty"), (b"{}\nx", "f, line 2"), (b"\xff", "neither"), (b"[3]", "no JSON object")):
        with pytest.raises(AdvtoolError, match=says):
            list(records.parsed(data, "f"))
