"""What is drawn of an evaluation, read back from the figure."""

import pytest
from evaluation_problems import digits, linear

from advtool.evaluation import plots
from advtool.evaluation.run import evaluate


@pytest.fixture
def drawn(monkeypatch):
    """The axes of the last figure that was drawn."""
    kept = []
    monkeypatch.setattr(plots, "write_figure", lambda figure, path: kept.append(figure))

    def draw(reports):
        plots.plot_accuracy("x.png", reports)
        return kept[-1].axes[0]

    return draw


@pytest.mark.parametrize("eps", [(), (0.1, 0.3)])
def test_a_curve_of_every_radius_begins_with_clean_accuracy_and_falls_at_the_distances(drawn, eps):
    report = evaluate(linear(), digits(60), adv="l2", eps=eps, attack="sdf", steps=5, curve=True, checks=False)
    axes = drawn([report])
    (curve,) = [line for line in axes.lines if line.get_drawstyle() == "steps-post"]
    x, y = curve.get_data()
    clean = 100 * report["clean"]["accuracy"]
    assert (x[0], y[0]) == (0, pytest.approx(clean)) and 40 < clean < 100
    assert list(x[1:]) == [distance for distance in report["distances"]["percentiles"] if distance]
    (points,) = [line for line in axes.lines if line.get_marker() == "o"]
    assert list(points.get_xdata()) == [0, *eps] and axes.get_xlabel() == "l2 eps"
    assert list(points.get_ydata()) == pytest.approx(
        [clean, *(100 * entry["accuracy"] for entry in report["adversarial"])]
    )
    for radius, accuracy in zip(points.get_xdata(), points.get_ydata(), strict=True):
        assert abs(y[x.searchsorted(radius, "right") - 1] - accuracy) <= 1.7  # percentiles of 60 images


def test_attacks_in_a_ball_are_joined_by_lines(drawn):
    report = evaluate(linear(), digits(40), adv="l2", eps=(0.1, 0.3), attack="fgsm", checks=False)
    (line, *_) = drawn([report]).lines
    assert line.get_linestyle() == "-" and list(line.get_xdata()) == [0, 0.1, 0.3]
