"""Pages with one living figure each, as the site carries it, and what every figure is asked. Used by test_living_*.py."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import _browser as web
from playwright.sync_api import Browser, Locator, Page, expect

from racelab import living


@contextlib.contextmanager
def pages(
    folder: Path,
    figures: Mapping[str, living.Living | Sequence[living.Living]],
    more: str = "",
) -> Iterator[str]:
    """Serve a page for each figure; yields the address, with a slash at its end.

    Args:
        folder: an empty one.
        figures: path of a page, without .html, e.g. "index" or "book/zoo", to what is on it: one figure or several.
        more: style of the page's body, beside that of all.
    """
    shutil.copytree(living.WIDGETS, folder / "living")
    shutil.copytree(web.ROOT / "book/_static", folder / "static")
    # As a page of the site has it, so that the book's own styles meet it.
    around = '<div class="bd-article"><div class="cell_output"><div class="text_html">'
    for name, there in figures.items():
        shown = [there] if isinstance(there, living.Living) else there
        file = folder / f"{name}.html"
        file.parent.mkdir(exist_ok=True)
        up = "../" * name.count("/")
        kinds = dict.fromkeys(figure.kind for figure in shown)
        own = [f"living/{kind}.css" for kind in kinds if (living.WIDGETS / f"{kind}.css").is_file()]
        styles = "static/book.css", "living/base.css", *own
        links = "".join(f'<link rel="stylesheet" href="{up}{style}">' for style in styles)
        file.write_text(
            '<!doctype html><html lang="en" data-theme="light"><head><meta charset="utf-8"><link rel="icon" href="data:,">'
            f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{name}</title>{links}'
            f"<style>body {{ background: var(--rl-paper); color: var(--rl-ink); margin: 1rem; font-family: sans-serif; {more} }}</style>"
            f'<script type="module" src="{up}living/mount.js"></script></head><body class="bd-content"><main><h1>{name}</h1>{around}'
            f"{'<p>Between.</p>'.join(figure.as_html() for figure in shown)}</div></div></div></main></body></html>",
            encoding="utf-8",
        )
    with web.served(folder) as address:
        yield address


def render_with_a_kernel(page: Page, kind: str, change: str) -> None:
    """Put the figure into the page as anywidget does: with a model that changes when the page's `fresh()` is called.

    Args:
        page: where the figure is now; what else the page had is gone then.
        kind: of the figure, which names its module.
        change: JavaScript that changes `state`, or gives it another value.
    """
    page.evaluate(
        """async (kind) => {
          const { default: figure } = await import(new URL(`living/${kind}.js`,
            document.querySelector("script[src$='mount.js']").src.replace("living/mount.js", "")));
          let state = JSON.parse(document.querySelector("figure script").textContent);
          const el = document.createElement("div");
          document.querySelector("main").replaceChildren(el);
          await figure.render({ el, model: {
            get: () => state,
            on: (_, changed) => { window.fresh = () => { CHANGE; changed(); }; },
          } });
        }""".replace("CHANGE", change),
        kind,
    )


def live_regions(page: Page) -> list[str]:
    """What a screen reader would speak by itself when it changes: the roles of such elements, by the browser's own account."""
    session = page.context.new_cdp_session(page)
    session.send("Accessibility.enable")
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    return [
        node["role"]["value"]
        for node in nodes
        for one in node.get("properties", ())
        if one["name"] == "live" and one["value"]["value"] != "off" and not node["ignored"]
    ]


def text_outside(picture: Locator) -> list[str]:
    """Words of an SVG that stand out of it on the left or on the right."""
    found: list[str] = picture.evaluate(
        """svg => [...svg.querySelectorAll('text')].filter((e) => {
          const [box, own] = [svg.getBoundingClientRect(), e.getBoundingClientRect()];
          return own.left < box.left - 2 || own.right > box.right + 2;
        }).map((e) => e.textContent)"""
    )
    return found


def printed(page: Page, still: str) -> None:
    """On paper the still picture stands in the place of the figure, and how that is played is not said."""
    picture = page.locator(still)
    expect(picture).to_be_hidden()
    how = page.locator("figcaption .rl-how")
    assert all(one.is_visible() for one in how.all())
    page.emulate_media(media="print")
    expect(picture).to_be_visible()
    expect(page.locator(".rl-living")).to_be_hidden()
    assert not any(one.is_visible() for one in how.all())
    caption = page.locator("figcaption").inner_text()
    asked = re.findall(r"\b(?:[Cc]hoose|[Dd]rag|[Mm]ove|[Pp]oint|[Oo]pen|keys?)\b", caption)
    assert asked == [], f"nobody can do that on paper: {caption}"


@contextlib.contextmanager
def without_javascript(
    browser: Browser, base: str, name: str, still: str, width: int = 360
) -> Iterator[Locator]:
    """The still picture of a page in a viewer that runs no JavaScript; it is no wider than the window.

    Args:
        browser: shows it.
        base: what `pages` gave.
        name: of the page, as `pages` was given it.
        still: selector of the picture.
        width: of the window, in px.
    """
    with web.quiet(browser, base, width=width, java_script_enabled=False) as page:
        page.goto(f"{base}{name}.html")
        picture = page.locator(still)
        yield picture
        box = picture.bounding_box()
        assert box
        assert box["x"] + box["width"] <= width


def at_best(page: Page, show: Callable[[], None], *scripts: str) -> list[float]:
    """Milliseconds of script until a figure is drawn, and then those that each script says.

    The best of five each: others use this machine, too.

    Args:
        page: where it is.
        show: opens the page anew.
        scripts: JavaScript that does something with the figure, and returns how many ms that took.
    """
    taken = []
    for _ in range(5):
        show()
        drawn = float(page.locator("figure").get_attribute("data-ms") or "inf")
        taken.append([drawn, *(float(page.evaluate(script)) for script in scripts)])
    best = [min(times) for times in zip(*taken, strict=True)]
    print(f"drawn, and then: {', '.join(f'{ms:.2f} ms' for ms in best)}")
    return best


WATCH_FRAMES = """() => {
  window.spentByFrame = [];
  const ask = window.requestAnimationFrame;
  let [began, spent] = [0, 0];
  const note = (from) => { document.documentElement.getBoundingClientRect(); spent += performance.now() - from; };
  window.requestAnimationFrame = (draw) => ask((at) => { const from = performance.now(); draw(at); note(from); });
  for (const kind of ['input', 'pointermove']) {
    addEventListener(kind, () => { began = performance.now(); }, true);
    addEventListener(kind, () => note(began));
  }
  const next = () => { if (spent > 0) spentByFrame.push(spent); spent = 0; ask(next); };
  next();
}"""


def while_dragging(
    page: Page, show: Callable[[], None], what: Callable[[], Locator], below: float = 8.0
) -> float:
    """Milliseconds of script and layout in a frame while the mouse drags: the 95th percentile of a drag's frames.

    Of the drags the best, at most ten, as others use this machine, too; no more once one is good enough.

    Args:
        page: where it is.
        show: opens the page anew.
        what: is dragged over, from side to side and back, e.g. a slider: finds it.
        below: good enough.
    """
    found: list[float] = []
    while len(found) < 10 and min(found, default=below) >= below:
        show()
        page.evaluate(WATCH_FRAMES)
        place = what()
        place.scroll_into_view_if_needed()
        box = place.bounding_box()
        assert box
        y = box["y"] + min(30.0, box["height"] / 2)
        page.mouse.move(box["x"] + 0.1 * box["width"], y)
        page.mouse.down()
        for to in (0.9, 0.2):
            page.mouse.move(box["x"] + to * box["width"], y, steps=30)
        page.mouse.up()
        page.wait_for_timeout(50)
        frames = sorted(page.evaluate("() => spentByFrame"))
        assert len(frames) >= 20, "nothing was dragged"
        found.append(frames[int(0.95 * len(frames))])
    print(f"a frame of a drag: {', '.join(f'{ms:.2f}' for ms in found)} ms")
    return min(found)


def stroke(page: Page, x: float, y: float, by_x: float, by_y: float) -> None:
    """Ten steps of a finger on a page that has touch, from a point by so much."""
    session = page.context.new_cdp_session(page)
    for step in range(11):
        point = {"x": x + by_x * step / 10, "y": y + by_y * step / 10}
        kind = "touchMove" if step else "touchStart"
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    session.detach()


def track_lengths(page: Page, keys: Sequence[str] = ("Home", "PageUp", "End")) -> list[set[float]]:
    """How long the track of each slider is, in px, at its ends and near one: one length each, or the thumb slips away."""
    found = []
    for slider in page.get_by_role("slider").all():
        lengths = set()
        for key in keys:
            slider.press(key)
            box = slider.bounding_box()
            assert box
            lengths.add(round(box["width"], 1))
        found.append(lengths)
    return found
