"""The table of methods against what the methods do."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from advtool.data.arrays import Images, load
from advtool.data.sources import resolve
from advtool.errors import UsageError
from advtool.explain import Result, explain
from advtool.explain.methods import METHODS, chosen, taken
from advtool.models.classifier import Classifier, ModelSpec
from advtool.models.registry import build

OTHER = {
    "baseline": {"baseline": 0.5},
    "variance": {"variance": 0.01},
    "adv": {"norm": "linf"},
    "eps": {"eps": 0.7},
    "target": {"target": "random"},
    "steps": {"steps": 3},
    "step_size": {"step_size": 0.01},
    "points": {"points": 5},
    "columns": {"columns": 2},
}
MODEL_METHODS = [name for name in METHODS if name != "samples"]


@pytest.fixture(scope="module")
def images() -> Images:
    return load(resolve("digits", "test"), 4)


def model(images: Images, method: str) -> Classifier:
    torch.manual_seed(0)
    arch, args = ("linear", {}) if method == "weights" else ("mlp", {"hidden": [16]})
    return build(ModelSpec(arch, images.head.classes, images.head.shape, (0.3,), (0.4,), args)).eval()


def seen(result: Result) -> str:
    """All that a user can see of a result, as text."""
    grid = result.grid()
    cells = [(name, [(cell.caption, cell.picture.tolist()) for cell in row]) for name, row in grid.rows]
    maps = [np.asarray(row.values).tolist() for row in result.attributions]
    return json.dumps([result.report, cells, grid.columns, grid.note, maps])


@pytest.mark.filterwarnings("ignore::advtool.explain.results.ExplainWarning")
@pytest.mark.parametrize("method", MODEL_METHODS)
def test_each_method_uses_what_it_takes_and_nothing_else(images, method):
    net = model(images, method)
    default = seen(explain(net, images, method))
    other = OTHER | {"of": {"of": "logit" if method == "gradient" else "loss"}}
    used = {name for name, changed in other.items() if seen(explain(net, images, method, **changed)) != default}
    assert used == METHODS[method].takes & other.keys()


@pytest.mark.filterwarnings("ignore::advtool.explain.results.ExplainWarning")
@pytest.mark.parametrize("method", MODEL_METHODS)
def test_batches_shards_names_and_frames_are_as_the_table_says(images, method):
    counts: list[int] = []
    net, entry = model(images, method), METHODS[method]
    result = explain({"mine": net}, images, method, batch_size=1, steps=2, progress=counts.append)
    assert (counts == [1, 1, 1, 1]) == ("batch_size" in entry.takes) and sum(counts) == 4
    assert bool(result.attributions) == ("shards" in entry.takes) == entry.is_attribution
    assert "mine" in str([name for name, _ in result.grid().rows]) and "names" in entry.takes
    assert (result.frames is not None) == entry.animated


def test_only_samples_explains_no_model(images):
    assert [name for name, entry in METHODS.items() if "ckpt" not in entry.takes] == ["samples"]
    for entry in METHODS.values():
        about_a_model = {"ckpt", "arch", "normalize", "weights"}
        assert about_a_model & entry.takes in (set(), about_a_model)
        assert entry.takes >= {"limit", "random", "columns", "names"}
    with pytest.raises(UsageError, match="explains no model"):
        explain(model(images, "samples"), images, "samples")


def test_lists_of_methods_take_what_any_of_them_takes():
    assert taken(chosen(["gradient", "smoothgrad"])) == METHODS["smoothgrad"].takes
    with pytest.raises(UsageError, match="a list can have only gradient, integrated-gradients, smoothgrad"):
        chosen(["gradient", "weights"])
    with pytest.raises(UsageError, match="did you mean smoothgrad"):
        chosen(["smoothgard"])


def test_tables_and_packages_need_neither_torch_nor_matplotlib():
    text = (
        "import sys, advtool.explain.methods, advtool.datasets.rules;"
        "assert not {'torch', 'matplotlib', 'numpy'} & sys.modules.keys()"
    )
    assert subprocess.run([sys.executable, "-c", text], capture_output=True, check=False).stderr == b""
