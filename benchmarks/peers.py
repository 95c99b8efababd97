"""Other libraries, where they are installed; with the same steps and step sizes as ours."""

import importlib
from collections.abc import Callable

from torch import Tensor

from benchmarks.nets import Problem

Peer = Callable[[Problem], Tensor]
_SMALLEST = ("L2CarliniWagnerAttack", "DDNAttack")


def find(library: str, what: str) -> Peer:
    """A peer's attack; ImportError if the library is not there."""
    importlib.import_module({"art": "art", "adv-lib": "adv_lib"}.get(library, library))
    found: Peer = PEERS[library, what]
    return found


def _torchattacks_pgd(given: Problem) -> Tensor:
    import torchattacks

    kind = torchattacks.PGDL2 if given.norm == "l2" else torchattacks.PGD
    attack = kind(given.model, given.eps, 2.5 * given.eps / 50, given.steps(50), random_start=False)
    found: Tensor = attack(given.x, given.y)
    return found.detach()


def _foolbox(given: Problem, name: str, **options: object) -> Tensor:
    import foolbox

    wrapped = foolbox.PyTorchModel(given.model, bounds=(0, 1))
    attack = getattr(foolbox.attacks, name)(**options)
    radius = None if name in _SMALLEST else given.eps
    found: Tensor = attack(wrapped, given.x, given.y, epsilons=radius)[1]
    return found


def _foolbox_pgd(given: Problem) -> Tensor:
    name = "L2ProjectedGradientDescentAttack" if given.norm == "l2" else "LinfProjectedGradientDescentAttack"
    return _foolbox(given, name, steps=given.steps(50), abs_stepsize=2.5 * given.eps / 50, random_start=False)


def _foolbox_cw(given: Problem) -> Tensor:
    options = {"binary_search_steps": 2, "steps": given.steps(100), "stepsize": 0.01}
    return _foolbox(given, "L2CarliniWagnerAttack", **options)


def _foolbox_ddn(given: Problem) -> Tensor:
    return _foolbox(given, "DDNAttack", steps=given.steps(100))


def _adv_lib_ddn(given: Problem) -> Tensor:
    from adv_lib.attacks import ddn

    found: Tensor = ddn(given.model, given.x, given.y, steps=given.steps(100), levels=None)
    return found


def _adv_lib_apgd(given: Problem) -> Tensor:
    from adv_lib.attacks.auto_pgd import apgd

    norm = {"l2": 2, "linf": float("inf")}[given.norm]
    found: Tensor = apgd(given.model, given.x, given.y, given.eps, norm, n_iter=given.steps(100), loss_function="ce")
    return found


def _torchattacks(name: str, **options: object) -> Peer:
    def attacked(given: Problem) -> Tensor:
        import torchattacks

        norm = {"l2": "L2", "linf": "Linf"}[given.norm]
        classes = len(given.model.spec.classes)
        more = {"n_classes": classes} if name in ("APGDT", "FAB") else {}
        key = "n_queries" if name == "Square" else "steps"
        steps = given.steps(1000 if name == "Square" else 100)
        attack = getattr(torchattacks, name)(given.model, norm=norm, eps=given.eps, **{key: steps}, **more, **options)
        found: Tensor = attack(given.x, given.y)
        return found.detach()

    return attacked


def _art_pgd(given: Problem) -> Tensor:
    import torch
    from art.attacks.evasion import ProjectedGradientDescentPyTorch
    from art.estimators.classification import PyTorchClassifier

    loss, shape = torch.nn.CrossEntropyLoss(), tuple(given.x.shape[1:])
    wrapped = PyTorchClassifier(
        given.model, loss, shape, len(given.model.spec.classes), clip_values=(0, 1), device_type="cpu"
    )
    norm = {"l2": 2, "linf": "inf"}[given.norm]
    attack = ProjectedGradientDescentPyTorch(
        wrapped, norm, given.eps, 2.5 * given.eps / 50, max_iter=given.steps(50), batch_size=512, verbose=False
    )
    return torch.from_numpy(attack.generate(given.x.numpy(), given.y.numpy()))


def _original_autoattack(given: Problem) -> Tensor:
    from autoattack import AutoAttack

    norm = {"l2": "L2", "linf": "Linf"}[given.norm]
    attack = AutoAttack(given.model, norm=norm, eps=given.eps, version="standard", device="cpu", verbose=False, seed=0)
    if given.warm_up:
        attack.attacks_to_run = ["apgd-ce"]
        attack.apgd.n_iter = 2
    found: Tensor = attack.run_standard_evaluation(given.x, given.y, bs=512)
    return found


PEERS: dict[tuple[str, str], Peer] = {
    ("torchattacks", "pgd"): _torchattacks_pgd,
    ("torchattacks", "apgd-ce"): _torchattacks("APGD", loss="ce", n_restarts=1),
    ("torchattacks", "apgd-dlr"): _torchattacks("APGD", loss="dlr", n_restarts=1),
    ("torchattacks", "apgd-t"): _torchattacks("APGDT", n_restarts=1),
    ("torchattacks", "fab-t"): _torchattacks("FAB", multi_targeted=True, n_restarts=1),
    ("torchattacks", "square"): _torchattacks("Square", n_restarts=1),
    ("foolbox", "pgd"): _foolbox_pgd,
    ("foolbox", "cw"): _foolbox_cw,
    ("foolbox", "ddn"): _foolbox_ddn,
    ("adv-lib", "ddn"): _adv_lib_ddn,
    ("adv-lib", "apgd-ce"): _adv_lib_apgd,
    ("art", "pgd"): _art_pgd,
    ("autoattack", "autoattack"): _original_autoattack,
}
