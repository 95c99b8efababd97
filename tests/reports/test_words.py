"""Words: what is typed slightly wrong is answered with what was meant."""

from situations import Situation, table

ROWS = [
    Situation("a dataset's name mistyped", lambda: ["data", "cifar1O", "--info"], refused="cifar10"),
    Situation("the embedded digits", lambda: ["data", "digits", "--info", "--json"], report={"parts.0.n": 1437}),
]


@table(ROWS)
def test_row(row, tmp_path):
    row.check(tmp_path)
