"""What the browser's tests share. Playwright starts once in a process, so the browser is one for all of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
# The harness is not installed here; what a page shows of it needs nothing but the standard library.
sys.path.append(str(Path(__file__).resolve().parents[2] / "src"))

import _browser as web

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def site() -> Iterator[str]:
    """The address of the built site."""
    if not (web.SITE / "index.html").exists():
        pytest.fail("there is no built site: run `make book` first")
    with web.served(web.SITE) as base:
        yield base


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium."""
    if web.CHROMIUM is None:
        pytest.skip(web.NO_CHROMIUM)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=web.CHROMIUM)
        yield started
        started.close()
