"""Table 1 as the paper prints it, to call out what is not so."""

_ROWS = ("standard", "adversarial", "adversarial.change", "randomized", "randomized.change")
# fractions: standard error, adversarial error
PRINTED = {
    (3.0, 6.0): ((0.0009, 0.1041), (0.0025, 0.0558), (0.0011, -0.1403), (0.0021, 0.0564), (0.0012, -0.0441)),
    (2.0, 18.0): ((0.0534, 0.5186), (0.0886, 0.1554), (0.0352, -0.3632), (0.0804, 0.1652), (0.0270, -0.3534)),
}
_SETTING = {"distance": 28.0, "radius": 7.0, "noise": 3.5, "noise_kind": "sd"}


def misprints(report: dict) -> list[dict]:
    """Where Table 1 prints something else than this report says; empty if the report is not of one of its settings."""
    inputs = report["inputs"]
    printed = PRINTED.get((inputs["sigma1"], inputs["sigma2"]))
    if printed is None or report["eps_p"] != 7 or any(inputs[key] != value for key, value in _SETTING.items()):
        return []
    found = []
    for row, numbers in zip(_ROWS, printed, strict=True):
        entry = report
        for part in row.split("."):
            entry = entry[part]
        for key, number in zip(("standard_error", "adversarial_error"), numbers, strict=True):
            if abs(entry[key] - number) > 0.500001e-4:
                found.append({"where": f"{row}.{key}", "printed": number, "value": entry[key], "erratum": "G2"})
    return found
