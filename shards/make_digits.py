"""Make the embedded digits: ``python shards/make_digits.py [OUT_DIR]``; needs scikit-learn.

The 1,797 handwritten digits of 8×8 pixels are the test part of "Optical Recognition of Handwritten Digits"
(E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, 1998, doi:10.24432/C50P49, CC BY 4.0), as shipped in
scikit-learn. Pixels 0..16 become 0..255. The split is stratified, 1,437 for training and 360 for testing. PNGs are
stored uncompressed, so the bytes depend on no zlib version; a key is the digit's index in scikit-learn's array.
"""

import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from advtool.io.head import Head
from advtool.io.samples import Sample
from advtool.io.shards import write_file


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=0)
    return out.getvalue()


def main(directory: Path) -> None:
    digits = load_digits()
    pixels = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    labels = digits.target
    train, test = train_test_split(np.arange(len(labels)), test_size=360, stratify=labels, random_state=0)
    for split, indices in (("train", train), ("test", test)):
        samples = (
            Sample(f"{index:04d}", {"png": png(pixels[index]), "cls": str(labels[index]).encode()}, "digits")
            for index in sorted(indices)
        )
        head = Head(
            classes=tuple("0123456789"),
            num_classes=10,
            shape=(1, 8, 8),
            split=split,
            source="UCI Optical Recognition of Handwritten Digits (CC BY 4.0), via scikit-learn",
            history=("python shards/make_digits.py",),
        )
        write_file(directory / f"digits-{split}-000000.tar", head, samples)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
