"""What operating systems and programs leave behind, and nobody means as data."""

_LEFT_BEHIND = {
    "__macosx",
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "$recycle.bin",
    "recycler",
    "system volume information",
    "@eadir",
    "#recycle",
    "lost+found",
    "icon\r",
}


def is_hidden(name: str) -> bool:
    """Whether a path has a part that begins with a dot, or one that a system leaves behind; ``.`` and ``..`` do not."""
    return any(
        (part.startswith(".") and part not in (".", "..")) or part.lower() in _LEFT_BEHIND for part in name.split("/")
    )
