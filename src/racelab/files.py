"""Files that others may read while they are written: whole, or as they were."""

from __future__ import annotations

import os
import threading
from pathlib import Path

__all__ = ["write_whole"]


def write_whole(path: Path, text: str) -> None:
    """Write a file whole or not at all; its folder is made if it is not there.

    Args:
        path: the file; what it held is replaced in one step.
        text: its new contents, written as UTF-8.

    Raises:
        OSError: it cannot be written; nothing half-written is left, and what was there still is.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Another process, or another thread of this one, may be writing the same file.
    half = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.new")
    try:
        half.write_text(text, encoding="utf-8")
        half.replace(path)
    except BaseException:
        half.unlink(missing_ok=True)
        raise
