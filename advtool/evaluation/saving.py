"""The worst image of each sample, as a shard that others can check a claim by, see `claims`, or as arrays."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from advtool.data.arrays import Images
from advtool.data.batches import to_float
from advtool.evaluation.cascade import CLEAN, STANDS, Fates
from advtool.evaluation.plan import Stage
from advtool.io import images as encoding
from advtool.io.atomic import Writable, whole_file
from advtool.io.npz import Growing
from advtool.io.samples import ORIGINAL, Sample
from advtool.io.shards import Shard


class Digest:
    """Of which images a claim is: their keys and labels, what they were, and what became of them, in any order."""

    def __init__(self) -> None:
        self._sum, self._n = 0, 0

    def add(self, key: str, label: int, original: np.ndarray, adversarial: np.ndarray) -> None:
        about = json.dumps([key, label, original.shape]).encode()
        whole = hashlib.sha256(about + original.tobytes() + adversarial.tobytes()).digest()
        self._sum, self._n = self._sum + int.from_bytes(whole), self._n + 1

    def hex(self) -> str:
        return hashlib.sha256(f"{self._n} {self._sum}".encode()).hexdigest()


class Saver:
    """Takes the images of one evaluation part by part; see `saving`."""

    def __init__(self, file: Writable, arrays: Growing | None = None):
        self._file, self._digest, self._n, self._arrays = file, Digest(), 0, arrays
        self._shard: Shard | None = None

    def keep(self, images: Images, stage: Stage, fates: Fates, worst: torch.Tensor, record: dict[str, Any]) -> None:
        """Write what became of some images.

        Parameters
        ----------
        worst : what the attacks made of them, float32 in [0, 1], N×C×H×W: what broke them, or else the last try
        record : of the run, for the head
        """
        if self._arrays is not None:
            self._arrays.add(x_adv=worst.numpy(), y=images.labels.astype(np.int64))
        elif self._shard is None:
            record = {"command": "attack", "targeted": False, **record}
            head = images.head.after("advtool eval --save-adversarial", record, split=images.split)
            self._shard = Shard(self._file, head)
        originals = to_float(torch.from_numpy(images.pixels)).numpy()
        names = {STANDS: None, CLEAN: "clean"} | {n: attack.name for n, attack in enumerate(stage.attacks, 1)}
        rows = zip(images.keys, images.labels.tolist(), originals, worst.numpy(), fates.broken_by.tolist(), strict=True)
        for key, label, original, adversarial, broken_by in rows:
            self._digest.add(key, label, original, adversarial)
            self._n += 1
            if self._shard is None:
                continue
            facts = {"broken_by": names[broken_by], "adv": record["adv"], "eps": record["eps"], "original_label": label}
            members = {"npy": encoding.encode_npy(adversarial), ORIGINAL: encoding.encode_npy(original)}
            members |= {"cls": str(label).encode(), "json": json.dumps(facts, sort_keys=True).encode()}
            self._shard.add(Sample(key, members, "saved images"))

    def finish(self) -> None:
        """Write what ends the file."""
        if self._shard is not None:
            self._shard.finish()
        if self._arrays is not None:
            self._arrays.write(self._file)

    def to_json(self) -> dict[str, Any]:
        """What the report says of the images: how many, and a digest of them."""
        return {"n": self._n, "digest": self._digest.hex()}


@contextmanager
def saving(path: str | Path | None) -> Iterator[Saver | None]:
    """A saver into a file that appears whole or not at all; None for none.

    A name that ends in ``.npz`` makes an archive: ``x_adv``, float32 in [0, 1], N×C×H×W, and ``y``, int64, in the
    order of the data. Any other makes a shard.
    """
    if path is None:
        yield None
        return
    with whole_file(path) as file:
        saver = Saver(file, Growing() if str(path).endswith(".npz") else None)
        yield saver
        saver.finish()
