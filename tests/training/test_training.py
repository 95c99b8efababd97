import numpy as np
import pytest
import torch

from advtool.data.arrays import load
from advtool.data.sources import resolve
from advtool.data.subset import subset
from advtool.errors import AdvtoolError, UsageError
from advtool.training.options import Training
from advtool.training.run import TrainingRun
from advtool.training.setup import channel_statistics

CPU = torch.device("cpu")


def run(**wishes) -> TrainingRun:
    wishes = {"arch": "mlp", "hidden": (32,), "epochs": 2, "limit": 300} | wishes
    return TrainingRun(resolve("digits"), Training(**wishes), CPU)


def weights(finished: TrainingRun) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in finished.model.parameters()])


def test_training_learns_and_records_each_epoch():
    finished = run(epochs=8, limit=None)
    finished.fit()
    assert [record["epoch"] for record in finished.history] == list(range(1, 9))
    assert finished.history[-1]["loss"] < finished.history[0]["loss"]
    report = finished.test(load(resolve("digits", "test")))
    assert report["clean"]["accuracy"] > 0.9 and report["adversarial"] == []


def test_adversarial_training_makes_a_model_more_robust():
    plain, robust = run(epochs=6, limit=None), run(epochs=6, limit=None, adv="l2", eps=0.5)
    plain.fit()
    robust.fit()
    plain.asked = robust.asked
    plain.__dict__.pop("config")
    images = load(resolve("digits", "test"))
    accuracies = [r.test(images, 100)["adversarial"][0] for r in (plain, robust)]
    assert accuracies[0]["n"] == accuracies[1]["n"] == 100
    assert accuracies[1]["accuracy"] > accuracies[0]["accuracy"] + 0.05
    assert {"loss", "clean_accuracy", "adversarial_accuracy"} <= robust.history[-1].keys()


def test_the_seed_decides_everything():
    first, second, other = run(seed=1), run(seed=1), run(seed=2)
    for each in (first, second, other):
        each.fit()
    assert torch.equal(weights(first), weights(second))
    assert not torch.equal(weights(first), weights(other))


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("done", [1, 3])
def test_continuing_from_a_state_changes_nothing(optimizer, done):
    wishes = {"epochs": 4, "optimizer": optimizer, "lr": 0.01, "adv": "linf", "eps": 0.1, "steps": 2}
    states = []
    straight = run(**wishes)
    straight.fit(save=states.append)
    resumed = run(**wishes)
    resumed.fit(start=states[done - 1])
    assert torch.equal(weights(straight), weights(resumed))
    assert straight.to_bytes({}) == resumed.to_bytes({})


def test_streaming_sees_the_same_images_as_memory():
    wishes = {"epochs": 5, "batch_size": 16}
    streamed, in_memory = run(max_memory=1e-6, **wishes), run(**wishes)
    assert streamed.data.streamed and not in_memory.data.streamed
    assert streamed.data.n == in_memory.data.n == 300
    for each in (streamed, in_memory):
        each.fit()
        assert each.history[-1]["clean_accuracy"] > 0.5
    assert streamed.model.spec.classes == in_memory.model.spec.classes


def test_a_diverging_run_stops_with_one_error():
    with pytest.raises(AdvtoolError, match="diverged"):
        run(optimizer="sgd", lr=1e30).fit()


def test_recipes_follow_the_papers_for_small_colour_images():
    config = TrainingRun(resolve("digits"), Training(lr=0.2), CPU).config
    assert (config.lr, config.optimizer) == (0.2, "adam")
    from advtool.training.config import recipe

    cifar = recipe((3, 32, 32), 150, True, False)
    assert (cifar["epochs"], cifar["lr_drops"], cifar["optimizer"]) == (150, (50, 100), "sgd")
    assert (cifar["lr"], cifar["momentum"], cifar["weight_decay"], cifar["augment"]) == (0.1, 0.9, 5e-4, "crop+flip")
    assert recipe((3, 32, 32), 1, False, True)["augment"] == "crop"


def test_unknown_settings_are_refused_before_the_data_is_read():
    for wishes in ({"arch": "mpl", "hidden": None}, {"optimizer": "adm"}, {"augment": "crops"}):
        with pytest.raises(UsageError):
            run(**wishes)


def test_channel_statistics_against_numpy():
    pixels = np.random.default_rng(0).integers(0, 256, (50, 3, 6, 6)).astype(np.uint8)
    mean, std = channel_statistics(pixels)
    reference = pixels.astype(np.float64).transpose(1, 0, 2, 3).reshape(3, -1) / 255
    assert mean == pytest.approx(reference.mean(1), abs=1e-4) and std == pytest.approx(reference.std(1), abs=1e-4)
    assert channel_statistics(np.full((2, 1, 4, 4), 9, np.uint8))[1] == (1.0,)


def test_subsets_are_drawn_by_key():
    images = load(resolve("digits", "test"))
    part = subset(images, 50, seed=0)
    assert len(part) == 50 and part.keys == sorted(part.keys, key=images.keys.index)
    reordered = images.take(np.arange(len(images))[::-1])
    assert set(subset(reordered, 50, seed=0).keys) == set(part.keys)
    assert subset(images, 1000, seed=0) is images
