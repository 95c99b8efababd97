"""Pax headers of a tar: whether one is well formed, in one pass."""

_LONGEST_LENGTH = 8


def check(data: bytes) -> None:
    """Raise ValueError unless this is a list of records ``LENGTH KEYWORD=VALUE`` with a line break, and zeros."""
    place = 0
    while place < len(data) and data[place]:
        space = data.find(b" ", place, place + _LONGEST_LENGTH)
        length = data[place:space]
        if space < 0 or not length.isdigit() or place + int(length) > len(data):
            raise ValueError("a damaged pax header")
        end = place + int(length)
        if end <= space + 1 or data[end - 1 : end] != b"\n" or data.find(b"=", space + 2, end) < 0:
            raise ValueError("a damaged pax header")
        place = end
