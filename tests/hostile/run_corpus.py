"""``python tests/hostile/run_corpus.py [KIND …]``: runs the corpus and prints the table of `docs/promises.md`."""

import sys
import tempfile
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import forked
from hostile import corpus, measured
from tests_support import environment


def main(wanted: list[str]) -> int:
    """Run the kinds that hold one of the words; 1 if an input was not refused as it has to be."""
    table, bad = defaultdict(list), 0
    with tempfile.TemporaryDirectory() as place:
        model = Path(place) / corpus.MODEL
        words = ["train", "--epochs", "1", "--arch", "mlp", "--hidden", "32", "-o", str(model), "-q"]
        forked.run(words, Path(place), environment(), None, 120).check_returncode()
        for number, made in enumerate(corpus.inputs()):
            if wanted and not any(word in f"{made.kind}: {made.name}" for word in wanted):
                continue
            directory = Path(place) / str(number)
            directory.mkdir()
            result = measured.run(made, directory, model)
            table[made.kind].append((result.seconds, result.peak))
            if found := measured.complaints(made, result):
                bad += 1
                print(f"{made.kind} | {made.name}: {'; '.join(found)}", flush=True)
            for path in sorted(directory.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    for kind, rows in table.items():
        seconds, peaks = zip(*rows, strict=True)
        print(f"| {kind} | {len(rows)} | {max(seconds):.1f} | {max(peaks) / 2**20:,.0f} |")
    print(f"{sum(map(len, table.values()))} inputs, {bad} not refused as they have to be")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
