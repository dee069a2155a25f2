"""Files that are written whole: what a reader finds at any moment, and what a failure leaves."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from racelab.files import write_whole


def test_a_reader_finds_one_text_or_the_other(tmp_path: Path) -> None:
    """Two threads write the same file all the time; neither is ever seen half."""
    path = tmp_path / "new" / "one.txt"
    texts = ["a" * 100_000, "b" * 200_000]
    write_whole(path, texts[0])
    over = threading.Event()

    def keep_writing(text: str) -> None:
        while not over.is_set():
            write_whole(path, text)

    writers = [threading.Thread(target=keep_writing, args=(text,)) for text in texts]
    for writer in writers:
        writer.start()
    try:
        seen = {path.read_text() for _ in range(500)}
    finally:
        over.set()
        for writer in writers:
            writer.join()

    assert seen <= set(texts)
    assert [file.name for file in path.parent.iterdir()] == ["one.txt"]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "one.txt"
    path.write_text("before")

    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "half \ud800 of it")

    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
