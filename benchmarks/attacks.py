"""Our attacks and those of other libraries, side by side in one run: strength and time.

    pip install foolbox torchattacks
    python benchmarks/attacks.py --ckpt robust.safetensors --data digits --adv l2 --eps 0.5

Each pair has the same number of steps, the same images and model, one after the other, in float32. A row says how
many images stand (fewer is stronger) or the mean smallest distance, and our time as a share of theirs. Pairs that
look for the smallest perturbation are compared on the images that both break.
"""

import argparse
import time

import torch

import advtool
from advtool.attacks import L2, apgd, apgd_t, cw, ddn, fab, pgd, square
from advtool.data.arrays import load
from advtool.data.sources import resolve
from advtool.registry import ball


def torchattacks_rows(model, x, y, norm, eps, queries):
    """(name, ours, theirs) for attacks in a ball."""
    import torchattacks

    peer_norm = {"l2": "L2", "linf": "Linf"}[norm]
    classes = len(model.spec.classes)
    step = 2.5 * eps / 50
    their_pgd = (
        torchattacks.PGDL2(model, eps=eps, alpha=step, steps=50, random_start=False)
        if norm == "l2"
        else torchattacks.PGD(model, eps=eps, alpha=step, steps=50, random_start=False)
    )
    options = {"norm": peer_norm, "eps": eps, "n_restarts": 1, "seed": 0}
    within = ball(norm, eps)
    yield "pgd 50", lambda: pgd(model, x, y, within, random_start=False), lambda: their_pgd(x, y)
    for loss in ("ce", "dlr"):
        theirs = torchattacks.APGD(model, steps=100, loss=loss, **options)
        yield f"apgd-{loss} 100", lambda loss=loss: apgd(model, x, y, within, loss=loss), lambda t=theirs: t(x, y)
    theirs = torchattacks.APGDT(model, steps=100, n_classes=classes, **options)
    yield "apgd-t 100", lambda: apgd_t(model, x, y, within), lambda: theirs(x, y)
    fabt = torchattacks.FAB(model, steps=100, multi_targeted=True, n_classes=classes, **options)
    yield "fab-t 100", lambda: fab(model, x, y, within), lambda: fabt(x, y)
    blind = torchattacks.Square(model, n_queries=queries, **options)
    yield f"square {queries}", lambda: square(model, x, y, within, steps=queries), lambda: blind(x, y)


def foolbox_rows(model, x, y, cw_steps):
    """(name, ours, theirs) for attacks that look for the smallest l2 perturbation."""
    import foolbox

    wrapped = foolbox.PyTorchModel(model, bounds=(0, 1))
    their_ddn = foolbox.attacks.DDNAttack(steps=100)
    their_cw = foolbox.attacks.L2CarliniWagnerAttack(binary_search_steps=9, steps=cw_steps, stepsize=0.01)
    yield "ddn 100", lambda: ddn(model, x, y, L2(), steps=100), lambda: their_ddn(wrapped, x, y, epsilons=None)[1]
    ours = {"steps": cw_steps, "binary_search_steps": 9, "learning_rate": 0.01}
    yield f"cw 9×{cw_steps}", lambda: cw(model, x, y, L2(), **ours), lambda: their_cw(wrapped, x, y, epsilons=None)[1]


def n_standing(model, x, y, z, norm, eps) -> int:
    """Images that are classified correctly, clean and on `z`; what is outside the ball does not count."""
    outside = ball(norm).norm(z - x) > eps * (1 + 1e-4)
    return int(((model(x).argmax(1) == y) & (outside | (model(z).argmax(1) == y))).sum())


def timed(run):
    started = time.perf_counter()
    result = run().detach()
    return result, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ckpt", required=True)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--adv", default="l2", choices=["l2", "linf"])
    parser.add_argument("--eps", type=float, default=0.5)
    parser.add_argument("-n", type=int, default=None, help="first N images; all by default")
    parser.add_argument("--queries", type=int, default=5000)
    parser.add_argument("--cw-steps", type=int, default=1000)
    arguments = parser.parse_args()
    model, norm, eps = advtool.load(arguments.ckpt), arguments.adv, arguments.eps
    images = load(resolve(arguments.data, "test"), arguments.n)
    x = torch.tensor(images.pixels).float() / (255 if images.pixels.dtype.kind == "u" else 1)
    y = torch.tensor(images.labels)
    right = model(x).argmax(1) == y
    print(f"{arguments.ckpt} on {len(x)} images of {arguments.data}, {norm} {eps:g}, clean {int(right.sum())} right")
    print(f"{'attack':<14} {'ours':>9} {'peer':>9} {'points':>8} {'time ratio':>11}")
    for name, ours, theirs in torchattacks_rows(model, x, y, norm, eps, arguments.queries):
        (mine, my_time), (peer, peer_time) = timed(ours), timed(theirs)
        stand = [n_standing(model, x, y, z, norm, eps) for z in (mine, peer)]
        points = 100 * (stand[0] - stand[1]) / len(x)
        print(f"{name:<14} {stand[0]:>9} {stand[1]:>9} {points:>+8.2f} {my_time / peer_time:>11.2f}", flush=True)
    if norm != "l2":
        return
    for name, ours, theirs in foolbox_rows(model, x, y, arguments.cw_steps):
        (mine, my_time), (peer, peer_time) = timed(ours), timed(theirs)
        # foolbox gives a black image where it fails
        broken = [right & (model(z).argmax(1) != y) & z.flatten(1).any(1) for z in (mine, peer)]
        both = broken[0] & broken[1]
        means = [float((z - x)[both].flatten(1).norm(dim=1).mean()) for z in (mine, peer)]
        change = f"{100 * (means[0] / means[1] - 1):+.2f}%"
        counts = f"both broke {int(both.sum())}, ours {int(broken[0].sum())}, peer {int(broken[1].sum())}"
        print(
            f"{name:<14} {means[0]:>9.4f} {means[1]:>9.4f} {change:>8} {my_time / peer_time:>11.2f}  {counts}",
            flush=True,
        )


if __name__ == "__main__":
    main()
