"""Hostile words of the command line: patterns of names, and numbers."""

from collections.abc import Iterator

from hostile.corpus import MODEL, Input


def inputs() -> Iterator[Input]:
    yield from _patterns()
    yield from _numbers()


def _patterns() -> Iterator[Input]:
    texts = [
        "evil-{00000000..99999999}.tar",
        "evil-{0..9}{0..9}{0..9}{0..9}{0..9}{0..9}.tar",
        "evil-{a,b}" * 30,
        "evil-{{0..9999},{0..9999}}{0..999}.tar",
        "evil-" + "{" * 2_000 + "}" * 2_000,
        "evil-{0..9",
        "evil-}{",
        "evil-{0..99999999999999999999999}.tar",
        "evil-{1..10..0}.tar",
        "evil-{-99999999..99999999}.tar",
        "evil-{a..z}.tar",
        "evil-" + "{a,b," * 60 + "}" * 60,
        "evil-{" + "a," * 20_000 + "}",
        "evil-{{{0..99}..99}..{0..99999999}}",
        "evil" + "*a" * 2_000,
        "evil-[" * 3_000,
        "evil/**/**/**/**/*.tar",
        "evil-\\{0..9\\}.tar",
    ]
    for text in texts:
        yield Input("H11 brace patterns", text[:50], lambda t=text: ["data", t, "-o", "made.tar"], "evil")


def _numbers() -> Iterator[Input]:
    options = {"--eps": "eps", "--steps": "steps", "--step-size": "step", "-n": "limit|-n", "--batch-size": "batch"}
    for option, says in options.items():
        for value in ("1e400", "nan", "9" * 5_000, "-1", "1_0", "²", "0x1", "", "1/0"):
            words = ["eval", "--ckpt", MODEL, "--data", "digits", "--adv", "l2", "--eps", "0.1"]
            words = [*words[:-2], option, value] if option == "--eps" else [*words, option, value]
            yield Input("numbers", f"{option} {value[:9]}", lambda w=words: w, says)
