"""Files that others may read and write meanwhile: whole or as they were, and changed by one at a time."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

if sys.platform != "win32":
    import fcntl

__all__ = ["locked", "write_whole"]


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Be the only one who changes a file, of all processes and threads that ask for this; its folder is made.

    Args:
        path: the file; the lock is another one beside it, as the file itself may be replaced.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("w") as handle:
        if sys.platform != "win32":
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


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
