"""The matrix of sources and targets, against attacking and asking by hand."""

import torch
from attack_problems import digits, digits_model
from torch import nn

from advtool import registry, seeds
from advtool.data.arrays import Images
from advtool.device import Settings
from advtool.evaluation.matrix import transfer
from advtool.evaluation.run import from_tensors
from advtool.norms import ball


def parts(n: int, size: int) -> tuple[list[Images], torch.Tensor, torch.Tensor]:
    x, y = digits()
    whole = [from_tensors(x[start : start + size], y[start : start + size]) for start in range(0, n, size)]
    return whole, x[:n], y[:n]


def test_counts_are_those_of_attacking_and_asking_by_hand():
    models: list[nn.Module] = [digits_model(20), digits_model(40, hidden=30)]
    settings = Settings(torch.device("cpu"), 32, 3, False)
    images, x, y = parts(96, 48)
    for name, targeted in (("mi-fgsm", False), ("pgd", True)):
        labels = (y + 1) % 10 if targeted else y
        shown = (
            [from_tensors(*pair) for pair in zip(x.split(48), labels.split(48), strict=True)] if targeted else images
        )
        attack = registry.get(name).plan(ball("l2", 0.5), {"targeted": targeted, "steps": 5})
        found = transfer(models, models, shown, attack, settings)
        seed = seeds.derive(3, "evaluation")
        for row, source in enumerate(models):
            made = attack(source, x, labels, seed=seed, ids=None)
            for column, target in enumerate(models):
                with torch.no_grad():
                    before, after = (target(images).argmax(1) == labels for images in (x, made))
                cell = found.to_json(row, column)
                fooled = (after & ~before) if targeted else (before & ~after)
                could = ~before if targeted else before
                assert cell["correct"] == int(after.sum()) and cell["n"] == 96
                assert cell["fooled"]["count"] == int(fooled.sum()) and cell["fooled"]["n"] == int(could.sum())
                assert found.clean_json(column)["correct"] == int(before.sum())
        assert any(cell.fooled for row in found.cells for cell in row)


def test_where_nothing_could_be_fooled_there_is_no_rate():
    wrong = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    nn.init.zeros_(wrong[1].weight)
    wrong[1].bias.data = torch.tensor([-1.0] * 9 + [1.0])
    (images,), _, _ = parts(20, 20)
    images.labels[:] = 0
    attack = registry.get("mi-fgsm").plan(ball("l2", 0.5))
    cell = transfer([wrong], [wrong], [images], attack, Settings(torch.device("cpu"), 32, 0, False)).to_json(0, 0)
    assert cell["fooled"] == {"rate": None, "count": 0, "n": 0, "ci95": [0.0, 1.0]} and cell["accuracy"] == 0
