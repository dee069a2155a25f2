"""A browser on the built site, with the rest of the world cut off. Used by test_browser.py."""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    Route,
    expect,
)

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build/html"
AXE = ROOT / "_build/vendor/checks/axe.min.js"
SCREENSHOTS = ROOT / "_build/screenshots"

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
NO_CHROMIUM = (
    "needs Chromium: `apt-get install chromium`, or chromium-browser or google-chrome on PATH"
)

PATIENCE_MS = 30_000
"""Nothing in these pages takes longer, even where others use the machine, too; to wait for ever helps nobody."""
expect.set_options(timeout=PATIENCE_MS)

MODES = ("light", "dark")
WIDTHS = {1280: 800, 360: 780}
"""Widths in pixels, each with the height of its window: a desktop and a small phone."""

NOT_OURS = (
    # ajv, inside the widget manager's bundle, about its own schema.
    re.compile(r"strict mode: use allowUnionTypes"),
)
"""Console messages of other people's code that say nothing about the book."""

EXCUSED: dict[tuple[str, str], str] = {}
"""(rule of axe, part of the element's HTML) -> why it cannot be mended here. Empty: keep it so."""


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on a free port of the loopback; yields the address, with a slash at its end."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: what goes wrong is seen from the browser's side."""


@dataclass
class Watch:
    """What went on in a browser context: requests that would leave the site, failures, messages."""

    base: str
    outside: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    def guard(self, route: Route) -> None:
        """Let the site's own requests pass; note and refuse all others."""
        if route.request.url.startswith(self.base):
            route.continue_()
        else:
            self.outside.append(route.request.url)
            route.abort()

    def on_response(self, response: Response) -> None:
        """Note answers that are not what was asked for."""
        if response.status >= 400:
            self.failed.append(f"{response.status} {response.url.removeprefix(self.base)}")

    def on_failure(self, request: Request) -> None:
        """Note requests of the site that got no answer; one that a page change cut short is fine."""
        if request.url.startswith(self.base) and request.failure != "net::ERR_ABORTED":
            self.failed.append(f"{request.failure} {request.url.removeprefix(self.base)}")

    def on_message(self, message: ConsoleMessage) -> None:
        """Note what the console complains about, unless it is other people's business."""
        if message.type in ("error", "warning") and not any(
            known.search(message.text) for known in NOT_OURS
        ):
            self.messages.append(f"{message.type}: {message.text}")


@contextlib.contextmanager
def offline(
    browser: Browser, base: str, mode: str = "light", width: int = 1280, **options: Any
) -> Iterator[tuple[BrowserContext, Watch]]:
    """A fresh browser context that can reach `base` and nothing else; yields it with its `Watch`.

    Args:
        browser: the browser.
        base: the only address that answers.
        mode: the colours, "light" or "dark".
        width: of the window, in pixels.
        options: passed on to Playwright's `new_context`.
    """
    watch = Watch(base)
    context = browser.new_context(
        viewport={"width": width, "height": WIDTHS.get(width, 800)},
        color_scheme=mode,  # type: ignore[arg-type]
        reduced_motion="reduce",
        **options,
    )
    context.set_default_timeout(PATIENCE_MS)
    context.route("**/*", watch.guard)
    context.on("response", watch.on_response)
    context.on("requestfailed", watch.on_failure)
    context.on("console", watch.on_message)
    context.on("weberror", lambda problem: watch.messages.append(f"uncaught: {problem.error}"))
    try:
        yield context, watch
    finally:
        context.close()


@contextlib.contextmanager
def quiet(
    browser: Browser, base: str, mode: str = "light", width: int = 1280, **options: Any
) -> Iterator[Page]:
    """A page of a context as `offline` makes it; afterwards nothing may have gone wrong in it."""
    with offline(browser, base, mode, width, **options) as (context, watch):
        yield context.new_page()
    assert watch.outside == watch.failed == watch.messages == []


def settle(page: Page) -> None:
    """Wait until fonts, formulas and icons are drawn."""
    page.wait_for_load_state("load")
    page.evaluate("() => document.fonts.ready")
    page.wait_for_function(
        """() => (!window.MathJax?.startup?.promise || window.mathsDrawn ||
              (MathJax.startup.promise.then(() => { window.mathsDrawn = true; }), false))
              && !document.querySelector('i.fas, i.fa-solid')"""
    )


def picture(page: Page, name: str) -> None:
    """Keep a picture of the whole page in `_build/screenshots`, for eyes, where `RACELAB_PICTURES` is set."""
    if os.environ.get("RACELAB_PICTURES"):
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


def violations(page: Page, *, colours_only: bool = False) -> list[str]:
    """What axe finds wrong with the page as it is shown now, one line for each element.

    Args:
        page: where it looks.
        colours_only: ask only about contrast, which is all that another mode can change.
    """
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if colours_only:
        options["runOnly"] = ["color-contrast", "link-in-text-block"]
    found = page.evaluate("(options) => axe.run(document, options)", options)
    return [
        f"{rule['id']}: {node['html'][:140]} ({node['failureSummary'].splitlines()[-1].strip()})"
        for rule in found["violations"]
        for node in rule["nodes"]
        if not any(rule["id"] == known and part in node["html"] for known, part in EXCUSED)
    ]


def overflow(page: Page) -> list[str]:
    """Elements that make the page wider than its window; empty where nothing scrolls sideways."""
    found: list[str] = page.evaluate(
        """() => {
          const wide = document.documentElement.clientWidth;
          if (document.documentElement.scrollWidth <= wide) return [];
          const scrolls = (e) => e && e !== document.body &&
            (getComputedStyle(e).overflowX !== 'visible' || scrolls(e.parentElement));
          const out = [...document.querySelectorAll('body *')].filter((e) =>
            e.getBoundingClientRect().right > wide + 1 && !scrolls(e.parentElement));
          return [`the page is ${document.documentElement.scrollWidth} px wide`,
            ...out.slice(0, 5).map((e) => e.outerHTML.slice(0, 120))];
        }"""
    )
    return found


def without_size(page: Page) -> list[str]:
    """Images and drawings of the article that take no room, or images without content."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll('article img, article svg[role=img], .logo img')]
          .filter((e) => getComputedStyle(e).display !== 'none' && e.checkVisibility())
          .filter((e) => e.getBoundingClientRect().width < 8 || e.getBoundingClientRect().height < 8
            || (e.tagName === 'IMG' && !(e.complete && e.naturalWidth > 0)))
          .map((e) => e.outerHTML.slice(0, 120))"""
    )
    return found


FOCUSED = """() => {
  const e = document.activeElement;
  if (!e || e === document.body) return null;
  const ring = (one) => {
    for (let i = 0; one && i < 5; i += 1, one = one.parentElement) {
      const s = getComputedStyle(one);
      if (s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2) return true;
      // Another element's ring only counts if that element says it is about what is inside it.
      if (!one.parentElement?.matches(':focus-within') || !one.parentElement.matches('.sd-card')) break;
    }
    return false;
  };
  // The link that is stretched over a card has no size of its own.
  const box = (e.closest('.sd-card') ?? e).getBoundingClientRect();
  if (!e.dataset.seenByKeyboard) e.dataset.seenByKeyboard = 'yes'; else return 'again';
  return { html: e.outerHTML.slice(0, 120), ring: ring(e), size: box.width * box.height,
    onScreen: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth };
}"""


def tab_through(page: Page) -> list[dict[str, Any]]:
    """Press Tab until the page has been gone through; what had the focus, in order."""
    seen = []
    for _ in range(600):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused is None or focused == "again":
            break
        seen.append(focused)
    return seen
