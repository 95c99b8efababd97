"""The list of errata, and what the library imports."""

import hashlib
import json
import subprocess
import sys
from dataclasses import asdict

from tests_support import environment

from advtool.theory.errata import ERRATA, PAPERS


def test_every_erratum_is_listed_once():
    ids = {model: [erratum.id for erratum in rows] for model, rows in ERRATA.items()}
    counts = {"gaussian": ("G", 10), "bernoulli": ("B", 6), "tradeoff": ("T", 5), "mle": ("M", 9), "mixture": ("X", 7)}
    assert ids == {model: [f"{letter}{i}" for i in range(1, n + 1)] for model, (letter, n) in counts.items()}
    assert set(PAPERS) == set(ERRATA)
    for rows in ERRATA.values():
        assert all(all(vars(row).values()) for row in rows)


def test_neither_the_library_nor_the_command_imports_torch():
    code = """
import sys, pkgutil, importlib, advtool.theory
for module in pkgutil.walk_packages(advtool.theory.__path__, "advtool.theory."):
    importlib.import_module(module.name)
above = {"torch", "webdataset", "matplotlib", "advtool.cli", "advtool.io", "advtool.data"} & set(sys.modules)
assert not above, above
from advtool.cli.main import app
for model in ("gaussian", "bernoulli", "tradeoff", "mle", "mixture"):
    app(["theory", model, "--check", "--samples", "1000"], standalone_mode=False)
assert not {"torch", "webdataset", "scipy.stats"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, env=environment(), stdout=subprocess.DEVNULL)


def test_the_file_holds_what_the_list_in_python_held():
    held = {
        "papers": PAPERS,
        "errata": {model: [asdict(erratum) for erratum in rows] for model, rows in ERRATA.items()},
    }
    text = json.dumps(held, sort_keys=True, ensure_ascii=False)
    digest = "253a1b9da2146439d1a3d455ee4ae01bf6d053e617aaeb5dd128cce66e29fa08"
    assert (sum(map(len, ERRATA.values())), hashlib.sha256(text.encode()).hexdigest()) == (37, digest)
