import gzip
import io
import os
import random
import tarfile
import threading
from contextlib import suppress

import pytest
import shard_factory as make

from advtool.errors import AdvtoolError
from advtool.io.readers import SampleReader
from advtool.io.streams import Stream
from advtool.io.tar import MAX_HEADER_BYTES, MAX_MEMBER_BYTES, read_members


@pytest.fixture(scope="module")
def archive() -> bytes:
    return make.shard(make.samples(3))


@pytest.fixture(scope="module")
def marker(archive) -> int:
    """Where the end-of-archive marker starts."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        opened.getmembers()
        return opened.offset


def read(data: bytes):
    return list(read_members(make.stream(data)))


def fault(data: bytes) -> str:
    with pytest.raises(AdvtoolError) as caught:
        read(data)
    return str(caught.value)


def test_members_have_name_content_and_place():
    data = make.tar([("a.png", b"picture"), ("a.cls", b"3")])
    first, second = read(data)
    assert (first.name, first.data, first.offset, first.archive) == ("a.png", b"picture", 0, 0)
    assert (second.name, second.data, second.offset, second.stream) == ("a.cls", b"3", 1024, "made.tar")


def test_cut_at_every_block_is_an_error_with_the_byte_offset(archive, marker):
    complete = marker + len(make.END)
    for cut in range(make.BLOCK, complete, make.BLOCK):
        assert f"byte {cut}" in fault(archive[:cut]), cut
    for cut in range(complete, len(archive) + 1, make.BLOCK):
        assert len(read(archive[:cut])) == 7, cut


def test_cut_at_odd_offsets_is_an_error_with_the_byte_offset(archive, marker):
    odd = [262, 300, 511, 513, 700, 1023, 1025, marker - 1, marker + 1, marker + 511]
    for cut in odd:
        assert f"byte {cut}" in fault(archive[:cut]), cut


@pytest.mark.parametrize("present", [513, 600, 1023])
def test_cut_inside_the_second_zero_block_of_the_marker_is_an_error(archive, marker, present):
    assert "byte" in fault(archive[: marker + present])


@pytest.mark.parametrize("cut", [1, 100, 256])
def test_cut_before_the_magic_is_an_error_that_says_what_it_looks_like(archive, cut):
    assert "expected a tar" in fault(archive[:cut])


def test_nothing_at_all_is_an_error():
    assert "empty" in fault(b"")


def test_cut_archive_raises_through_the_sample_reader_after_its_good_samples(archive, marker):
    reader = iter(SampleReader([make.stream(archive[:marker])], "made.tar"))
    assert [next(reader).key, next(reader).key] == ["k0", "k1"]
    with pytest.raises(AdvtoolError, match=f"byte {marker} without the end-of-archive marker"):
        list(reader)


def test_a_pipe_that_gives_three_bytes_at_a_time_is_read_whole(archive):
    reading, writing = os.pipe()

    def feed():
        with open(writing, "wb", buffering=0) as out:
            for start in range(0, 3000, 3):
                out.write(archive[start : start + 3])
            out.write(archive[3000:])

    feeder = threading.Thread(target=feed)
    feeder.start()
    with open(reading, "rb") as file:
        assert [m.name for m in read_members(Stream(file, "stdin"))] == make.names(archive)
    feeder.join()


def test_concatenated_archives_are_all_read():
    parts = [make.shard(make.samples(2, prefix=prefix)) for prefix in "abc"]
    members = read(b"".join(parts))
    assert [m.name for m in members if m.name.endswith(".cls")] == [f"{p}{i}.cls" for p in "abc" for i in range(2)]
    assert [m.archive for m in members if m.name == "__advtool__/head"] == [0, 1, 2]
    assert members[5].offset == len(parts[0])


def test_second_of_two_archives_cut_is_an_error(archive):
    assert f"byte {len(archive) + 1024}" in fault(archive + archive[:1024])


@pytest.mark.parametrize("garbage", [b"x" * 512, b"\x1f\x8b" + bytes(510), bytes(100) + b"x" + bytes(411)])
def test_garbage_after_the_end_is_an_error(archive, garbage):
    assert f"byte {len(archive)}: not a tar header" in fault(archive + garbage)


def test_a_bit_of_garbage_after_the_end_is_an_error(archive):
    assert f"byte {len(archive) + 5}" in fault(archive + b"bytes")


def test_a_single_zero_block_between_members_is_an_error():
    data = make.tar([("a.cls", b"1"), ("b.cls", b"2")])
    assert "a single zero block" in fault(data[:1024] + bytes(512) + data[1024:])


def test_gzip_is_known_by_content(archive):
    assert read(gzip.compress(archive)) == read(archive)


def test_gzip_of_several_members_is_read_through(archive):
    pieces = [archive[:1000], archive[1000:5000], archive[5000:]]
    assert read(b"".join(map(gzip.compress, pieces))) == read(archive)
    assert len(read(gzip.compress(archive) + gzip.compress(archive))) == 14


def test_truncated_gzip_is_an_error(archive):
    packed = gzip.compress(archive)
    for cut in (20, len(packed) // 2, len(packed) - 8, len(packed) - 1):
        assert "cut short" in fault(packed[:cut]), cut


def test_gzip_cut_between_its_members_is_an_error_with_the_byte_offset(archive):
    assert "byte 1024" in fault(gzip.compress(archive[:1024]))


@pytest.mark.parametrize("position", [-8, -1], ids=["crc", "length"])
def test_gzip_with_a_wrong_trailer_is_an_error(archive, position):
    packed = bytearray(gzip.compress(archive))
    packed[position] ^= 1
    assert "corrupt gzip" in fault(bytes(packed))


def test_garbage_after_gzip_is_an_error(archive):
    assert "corrupt gzip" in fault(gzip.compress(archive) + b"garbage")


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (tarfile.SYMTYPE, "link"),
        (tarfile.LNKTYPE, "link"),
        (tarfile.CHRTYPE, "device"),
        (tarfile.BLKTYPE, "device"),
        (tarfile.FIFOTYPE, "special"),
        (b"Z", "special"),
        (tarfile.GNUTYPE_SPARSE, "sparse"),
    ],
)
def test_special_members_are_refused(kind, says):
    first = make.tar([("a.cls", b"1")])[:1024]
    message = fault(first + make.header("evil.cls", 0, kind, "/etc/passwd") + make.END)
    assert says in message
    assert "byte 1024: 'evil.cls'" in message


@pytest.mark.parametrize(
    "records",
    [
        {"GNU.sparse.map": "0,5", "GNU.sparse.size": "5"},
        {"GNU.sparse.size": "5", "GNU.sparse.offset": "0", "GNU.sparse.numbytes": "5"},
        {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "5"},
    ],
    ids=["0.1", "0.0", "1.0"],
)
def test_pax_sparse_members_are_refused(records):
    content = make.padded(b"1\n0\n5\n") + make.padded(b"hello")
    assert "sparse" in fault(make.pax(records) + make.header("k.cls", 517) + content + make.END)


@pytest.mark.parametrize(
    "records",
    [
        {"GNU.sparse.map": "zero,five"},
        {"GNU.sparse.size": "many"},
        {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"},
        {"size": "-512"},
        {"size": "9" * 30},
    ],
)
def test_nonsense_in_a_pax_header_is_a_clear_error(records):
    fault(make.pax(records) + make.header("k.cls", 5) + make.padded(b"hello") + make.END)


@pytest.mark.parametrize("size", [MAX_MEMBER_BYTES + 1, 8**11 - 1, 1 << 60])
def test_a_member_above_the_cap_is_refused_before_it_is_read(size):
    message = fault(make.header("huge.npy", size) + make.END)
    assert "'huge.npy' has" in message
    assert str(MAX_MEMBER_BYTES) in message


@pytest.mark.parametrize("size", [-1, -512, -5000])
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
def test_a_negative_size_is_a_clear_error(size, kind):
    fault(make.header("k.cls", size, kind) + make.END)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK])
def test_a_huge_extended_header_is_refused_before_it_is_read(kind):
    assert "member header of" in fault(make.header("x", MAX_HEADER_BYTES + 512, kind) + make.END)


def test_a_long_chain_of_extended_headers_is_a_clear_error():
    fault(make.pax({"comment": "again"}) * 3000 + make.header() + make.END)


@pytest.mark.parametrize("tar_format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT], ids=["pax", "gnu"])
@pytest.mark.parametrize("name", ["n" * 99, "n" * 150, "folder/" * 40 + "a", "ü" * 80, "数字/七", "\udcff\udcfe"])
def test_long_and_unicode_names_are_read(tar_format, name):
    members = [(f"{name}.png", b"picture"), (f"{name}.cls", b"7")]
    assert [(m.name, m.data) for m in read(make.tar(members, tar_format))] == members


def test_ustar_prefix_names_are_read():
    name = "d" * 80 + "/" + "n" * 80 + ".cls"
    assert make.names(make.tar([(name, b"1")], tarfile.USTAR_FORMAT)) == [name]


def test_directories_are_passed_over():
    data = make.header("train/", 0, tarfile.DIRTYPE) + make.tar([("train/a.cls", b"1")])
    assert make.names(data) == ["train/a.cls"]


def test_a_global_pax_header_is_passed_over():
    data = tarfile.TarInfo.create_pax_global_header({"comment": "made by git archive"}) + make.tar([("a.cls", b"1")])
    assert make.names(data) == ["a.cls"]


def test_a_flipped_bit_anywhere_in_a_header_is_not_accepted(archive):
    second = 1024
    for position in range(make.BLOCK):
        bad = bytearray(archive)
        bad[second + position] ^= 0x04
        if 148 <= position < 156:  # the checksum itself may be written in more than one way
            continue
        assert f"byte {second}: not a tar header" in fault(bytes(bad)), position


@pytest.mark.filterwarnings("ignore::advtool.io.samples.ShardWarning")
def test_mutated_archives_raise_nothing_but_advtool_errors():
    rng = random.Random(0)
    for tar_format in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        whole = make.tar([("k0.png", b"hello"), ("n" * 120 + ".png", b"hello"), ("ü" * 60 + ".cls", b"1")], tar_format)
        for _ in range(600):
            bad = bytearray(whole)
            for _ in range(rng.choice([1, 3, 10])):
                bad[rng.randrange(5000)] = rng.choice([0, 255, 48, 57, 45, 128, rng.randrange(256)])
            with suppress(AdvtoolError):
                list(SampleReader([make.stream(_with_checksums(bad))], "made.tar"))


def _with_checksums(data: bytearray) -> bytes:
    for start in range(0, len(data) - 511, 512):
        if data[start + 257 : start + 262] == b"ustar":
            data[start + 148 : start + 156] = b" " * 8
            data[start + 148 : start + 156] = b"%06o\0 " % sum(data[start : start + 512])
    return bytes(data)


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"PK\x03\x04" + bytes(600), "zip"),
        (b"\x89PNG\r\n\x1a\n" + bytes(600), "PNG"),
        (b"BZh9" + bytes(600), "bzip2"),
        (b"<!DOCTYPE html><html>", "HTML"),
        (b'{"accuracy": 1}', "JSON"),
        (b"key,label\n1,2\n", "text"),
        (gzip.compress(b"key,label\n1,2\n", mtime=0), "gzip of plain text"),
    ],
)
def test_what_is_no_tar_is_named_for_what_it_looks_like(start, words):
    message = fault(start)
    assert words in message
    assert "expected a tar" in message
