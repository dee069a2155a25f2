"""Chapters on one core, as on Binder: they run to the end, and say that what they show is widened. `make test-race`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.md"))

pytestmark = pytest.mark.race


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_chapter_runs_to_the_end_and_tells_the_truth(chapter: Path) -> None:
    command = [sys.executable, ROOT / "tools/preview.py", chapter.stem, "--cores", "0"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=550)

    assert done.returncode == 0, done.stderr
    page = ROOT / "_build/preview" / chapter.stem / "_build/html/notebooks" / f"{chapter.stem}.html"
    shown = page.read_text()
    assert "1 usable" in shown, "the chapter's first table must say that there is one core"
    if re.search("^one_core = ", chapter.read_text(), re.M):
        assert "(widened)" in shown, "a race on one core that is not stamped"
