"""Which member of a sample is the image and which the label, in shards as other people make them."""

import json
from functools import partial

from foreign_shards import (
    COUNTS,
    HEAD,
    NAMED,
    NAMES,
    N,
    apart,
    archive,
    digits_with,
    either,
    grey_and_colour,
    img2dataset,
    labelled,
    masked,
    name_of,
    named,
    picture,
    plain,
    reading,
    shard,
    two_folders,
    two_tars,
    webdataset,
    with_text,
)
from situations import Situation, table

ROWS = [
    Situation(
        "img2dataset: a label in .json", reading(labelled, "--label-key", "json:label"), COUNTS, says="txt are pa"
    ),
    Situation("img2dataset: names in .json", reading(named, "--label-key", "json:label"), NAMED, says="txt are passed"),
    Situation(
        "img2dataset: nobody says where the label is",
        reading(labelled),
        refused=r"sample .0000.: no label: .*members jpg json txt; `--label-key json:label` or `--label-key txt` says",
    ),
    Situation(
        "img2dataset: a .json without any label",
        reading(img2dataset, "--label-key", "json:label"),
        refused=r"sample '0000': its .json member has no field 'label', but caption url key status width",
    ),
    Situation(
        "img2dataset: captions are no classes",
        reading(with_text(lambda index: "a photo of a dog\nand a cat"), "--label-key", "txt"),
        refused="sample '0000': label 'a photo of a dog.* is too long for the name of a class",
    ),
    Situation(
        "open_clip: .webp and .cls, class names elsewhere",
        reading(lambda index: {"cls": f"{index % 3}", "webp": picture(index, "WEBP")}),
        {**COUNTS, "parts.0.formats": {"webp": 6}},
    ),
    Situation(
        "CLIP_benchmark: classnames.txt in the tar",
        reading(plain, before=[("classnames.txt", b"a\nb\nc"), ("README.md", b"text")]),
        COUNTS,
        says="'classnames': member txt passed over, no image or label",
    ),
    Situation(
        "Hugging Face: {'label': 2} in .json",
        reading(lambda i: {"jpg": picture(i, "JPEG"), "json": {"label": i % 3}}, "--label-key", "json:label"),
        COUNTS,
    ),
    Situation(
        "Hugging Face: a number as text, deeper in .json",
        reading(with_text(lambda i: {"meta": {"y": str(i % 3)}}, "json"), "--label-key", "json:meta.y"),
        COUNTS,
    ),
    Situation(
        "webdataset: .json is the label itself", reading(with_text(lambda i: i % 3, "json"), "--label-key=json"), COUNTS
    ),
    Situation(
        "webdataset: .json is an object, and no field is named",
        reading(labelled, "--label-key", "json"),
        refused="sample '0000': its .json member is an object: json:FIELD says which of caption .* label is the label",
    ),
    Situation(
        "webdataset: .input.png and .seg.png",
        reading(webdataset),
        refused=r"no image member, has members cls input.png seg.png; `--image-key input.png` says where it is",
    ),
    Situation(
        "webdataset: .input.png named",
        reading(webdataset, "--image-key", "input.png"),
        {**COUNTS, "parts.0.formats": {"png": 6}, "parts.0.shape": [3, 8, 8]},
        says="members with extension .seg.png are passed over",
    ),
    Situation(
        "webdataset: KEY.label", reading(with_text(lambda i: f" {i % 3}\n", "label"), "--label-key", ".label"), COUNTS
    ),
    Situation(
        "webdataset: .label that nobody named",
        reading(with_text(lambda i: "1", "label")),
        refused="no label: no .cls member, has members label png; `--label-key label` says where it is",
    ),
    Situation(
        "an image and a mask",
        reading(masked),
        refused=r"0.: .png and .jpg are both images; `--image-key jpg`",
    ),
    Situation(
        "an image and a mask, relabelled",
        lambda: ["relabel", "--data", shard(masked), "--shift", "1", "--classes", "3", "-o", "new.tar"],
        refused=r".png and .jpg are both images",
    ),
    Situation(
        "an image and a mask, the image named",
        reading(masked, "--image-key", "jpg"),
        {**COUNTS, "parts.0.formats": {"jpg": 6}},
        says="set.tar: .png left out, since .jpg is the image",
    ),
    Situation(
        "extensions in order of preference",
        reading(lambda i: {**either(i), "cls": str(i % 3)}, "--image-key", "jpg; jpeg,png"),
        {**COUNTS, "parts.0.n": N},
    ),
    Situation(
        "an image key that is not there",
        reading(plain, "--image-key", "jpg;webp"),
        refused="sample '0000': no member jpg or webp, which the image key names; has members cls png",
    ),
    Situation("names in .txt", reading(with_text(name_of), "--label-key", "txt"), NAMED),
    Situation("names in .cls", reading(with_text(name_of, "cls"), "--label-key", "cls"), NAMED),
    Situation(
        "names in .cls that nobody expects",
        reading(with_text(name_of, "cls")),
        refused=r"label 'emu\\n' is not a non-negative integer; `--label-key cls` takes class names",
    ),
    Situation(
        "names that the head lists in another order",
        reading(with_text(name_of), "--label-key", "txt", before=HEAD),
        {**COUNTS, "parts.0.classes": list(NAMES)},
    ),
    Situation(
        "a name that the head does not list",
        reading(with_text(lambda i: "owl" if i == 4 else "cat"), "--label-key", "txt", before=HEAD),
        refused=r"sample '0004': label 'owl' is none of the 3 classes \(emu, cat, dog\)",
    ),
    Situation(
        "a number beyond the names of the head",
        reading(with_text(lambda i: "3"), "--label-key", "txt", before=HEAD),
        refused="sample '0000': label 3, but there are 3 classes",
    ),
    Situation(
        "a name among numbers",
        reading(with_text(lambda i: "cat" if i == 4 else "1"), "--label-key", "txt"),
        refused="sample '0004': label 'cat' is a class name, but those before it are numbers",
    ),
    Situation(
        "a number among names",
        reading(with_text(lambda i: {"y": 7 if i == 4 else "cat"}, "json"), "--label-key", "json:y"),
        refused="sample '0004': label 7 is a number, but others are class names",
    ),
    *(
        Situation(
            f"a label that is {json.dumps(value)}",
            reading(with_text(lambda i, value=value: {"y": value}, "json"), "--label-key", "json:y"),
            refused=f"sample '0000': (its )?label .*{says}",
        )
        for value, says in (
            (True, "neither an integer nor a class name"),
            (1.5, "neither an integer nor a class name"),
            (None, "neither an integer nor a class name"),
            ([1, 2], "neither an integer nor a class name"),
            (-1, "is not a non-negative integer"),
            ("-1", "is not a non-negative integer"),
            ("1.0", "is not a non-negative integer"),
            (" ", "is empty"),
            (10**9, "more than 999999"),
        )
    ),
    Situation(
        "both .cls and .txt",
        reading(partial(plain, txt="emu")),
        COUNTS,
        says="members with extension .txt are passed over",
    ),
    Situation(
        "all images, then all labels", lambda: apart(("png",), ("cls",)), refused="'0': its members do not lie together"
    ),
    Situation(
        "all labels, then all images", lambda: apart(("cls",), ("png",)), refused=r"\(.png after other samples\)"
    ),
    Situation(
        "all .json at the end", lambda: apart(("png", "cls"), ("json",)), refused=r"\(.json after other samples\)"
    ),
    Situation("all .json at the beginning", lambda: apart(("json",), ("png", "cls")), refused="do not lie together"),
    Situation("all samples twice", lambda: apart(("png", "cls"), ("png", "cls")), refused="sample '0': duplicate key"),
    Situation("images in one tar, labels in another", two_tars, refused=r"\(.cls in b.tar\)"),
    Situation(
        "images in one folder, labels in another",
        two_folders,
        refused="'images/0': no label.*'labels/0.cls' has its name, but lies in another folder",
    ),
    Situation(
        ".json that is no object, and nothing needs it",
        lambda: ["data", shard(partial(plain, json=[1, 2])), "--verify", "--json"],
        {"parts.0.good": N, "parts.0.fault": None},
    ),
    Situation(
        ".json that is no object, and something is to be added to it",
        lambda: ["relabel", "--data", shard(partial(plain, json=[1])), "--shift", "1", "--classes", "3", "-o", "r.tar"],
        refused=r"set.tar: sample '0000': its .json member is not a JSON object, .* `tar --delete",
    ),
    Situation(
        "one colour image among grey ones",
        lambda: grey_and_colour("--verify"),
        refused="g.*zz.*colour among grey: .*--colour -o",
    ),
    Situation(
        "keys for digits", digits_with("--label-key", "txt"), refused="--label-key: is for shards, and digits is none"
    ),
    Situation("keys for digits", digits_with("--image-key", "jpg"), refused="--image-key: is for shards"),
    Situation(
        "keys for arrays", lambda: ["data", archive(), "--info", "--label-key=cls"], refused="--label-key: is for sh"
    ),
    Situation(
        "keys for class folders", lambda: grey_and_colour("--label-key=cls"), refused="--label-key: is for shards"
    ),
    Situation("keys beside a list", lambda: ["data", "--list", "--label-key", "cls"], refused="--label-key: is for"),
    Situation(
        "an image key of no image",
        digits_with("--image-key", "jpg;exe"),
        refused="--image-key jpg;exe: 'exe' does not end",
    ),
    Situation(
        "a label key of an image", digits_with("--label-key", "seg.png"), refused="--label-key seg.png: an image"
    ),
    Situation(
        "a field of what is not JSON", digits_with("--label-key", "txt:y"), refused="--label-key txt:y: only JSON has"
    ),
    Situation("two label keys", digits_with("--label-key", "cls;txt"), refused="--label-key cls;txt: not an extension"),
]


@table(ROWS)
def test_row(row, tmp_path):
    row.check(tmp_path)
