"""Chapters in JupyterLab, as a reader steps through them: Shift+Enter, cell by cell. `make test-race` runs it.

One server, one chapter after another. A cell that raises stops the chapter; what is looked for is an error output,
a cell without a number, a living figure that is not drawn, and the kernel's name.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import _browser as web
import _lab
import pytest

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.md"))
START_S, CELL_S = 60, 120

pytestmark = [pytest.mark.race, pytest.mark.skipif(web.CHROMIUM is None, reason=web.NO_CHROMIUM)]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server as `make lab` starts it, with a token."""
    home = tmp_path_factory.mktemp("home")
    settings = home / "@jupyterlab/docmanager-extension/plugin.jupyterlab-settings"
    settings.parent.mkdir(parents=True)
    settings.write_text('{"autosave": false}')  # these are the book's own chapters
    with _lab.started(home, START_S) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_chapter_steps_through(lab: str, chapter: Path, tmp_path: Path) -> None:
    before = chapter.read_bytes()
    with opened(lab, chapter) as page:
        assert step_through(page, chapter, tmp_path / "stuck.png") == []
        page.screenshot(path=tmp_path / "end.png")
    assert chapter.read_bytes() == before, "stepping through a chapter must not change it"


@contextlib.contextmanager
def opened(lab: str, chapter: Path) -> Iterator[Any]:
    """A page with this notebook of the book, its kernel ready."""
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=web.CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        # A workspace of its own: no tabs of an earlier chapter.
        where = chapter.relative_to(ROOT).as_posix()
        page.goto(f"{lab}/lab/workspaces/{chapter.stem}/tree/{where}?token=secret")
        notebook = page.locator(".jp-Notebook")
        notebook.wait_for(timeout=START_S * 1000)
        kernel = page.locator(".jp-KernelName, .jp-Toolbar-kernelName").first
        sync_api.expect(kernel).to_contain_text("racelab", timeout=START_S * 1000)
        # The name is there before the connection; a cell that is run in between is dropped without a word.
        idle = page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")
        sync_api.expect(idle).to_have_count(1, timeout=START_S * 1000)
        yield page
        browser.close()


NOTEBOOK = """---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {name: racelab, display_name: Python 3.13t (racelab)}
---
# Figures

```{code-cell}
import racelab as rl
from racelab import living
how = {"count": 1, "seconds": 0.2, "progress": False}
```

```{code-cell}
steps = living.interleaver("lost_update", races={
    "broken": rl.race("lost_update", "broken", **how)})
steps
```

```{code-cell}
figure = rl.race("lost_update", "broken", **how).explore()
figure
```

```{code-cell}
figure.update(rl.race("lost_update", "fixed", **how))
```
"""


def test_a_figure_that_is_shown_takes_in_todays_races(lab: str, tmp_path: Path) -> None:
    """In the browser, through the kernel: a figure stands there, and a later cell's race appears in it."""
    sync_api = pytest.importorskip("playwright.sync_api")
    folder = ROOT / "work"  # git leaves it alone
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="figures_") as place:
        chapter = Path(place, Path(place).name).with_suffix(".md")  # no tab of an earlier run
        chapter.write_text(NOTEBOOK)
        with opened(lab, chapter) as page:
            assert step_through(page, chapter, tmp_path / "stuck.png") == []
            today = page.locator(".rl-ex-row").filter(has_text="today: ")
            sync_api.expect(today).to_have_count(2)
            sync_api.expect(today.filter(has_text="fixed")).to_have_count(1)
            page.get_by_role("button", name="Count them all").click()
            sync_api.expect(
                page.get_by_text(re.compile(r"Seen in [\d,]+ rounds? today"))
            ).to_be_visible()


#: A cell is over when it has a number; one that JupyterLab took out of the page, when the kernel is idle.
OVER = """cell => cell.isConnected
    ? /\\[\\d+\\]/.test(cell.querySelector('.jp-InputPrompt').textContent)
    : document.querySelector('.jp-Notebook-ExecutionIndicator').dataset.status == 'idle'"""
#: The cells that show a living figure, and whether it is there: in a cell that is still in the page.
SHOWS = re.compile(r"^living\.\w+\(|\bdisplay\(living\.|^(\w+)\n\Z", re.M)
MADE = r"^{} = .*(living\.\w+\(|\.explore\(\))"
DRAWN = """cell => {
    const figure = cell.querySelector('.rl-living');
    return !cell.isConnected || (figure?.querySelector('svg, li') && figure.clientHeight > 60);
}"""
STATE = """cell => [cell.querySelector('.jp-InputPrompt')?.textContent ?? 'out of the page',
    document.querySelector('.jp-Notebook-ExecutionIndicator').dataset.status]"""


def step_through(page, chapter: Path, picture: Path) -> list[str]:
    """Run cell after cell by keyboard; what went wrong, with the cell's first line."""
    sync_api = pytest.importorskip("playwright.sync_api")
    cells = json.loads(
        page.evaluate(
            "() => JSON.stringify([...document.querySelectorAll('.jp-Notebook .jp-Cell')]"
            ".map(c => c.classList.contains('jp-CodeCell')))"
        )
    )
    text = chapter.read_text()
    sources = re.findall(r"^```\{code-cell\}[^\n]*\n(.*?)^```$", text, re.M | re.S)
    written = len(sources)
    page.keyboard.press("Escape")
    page.keyboard.press("Control+Home")
    ran = 0
    while ran < written:
        active = page.locator(".jp-Notebook .jp-Cell.jp-mod-active")
        code = "jp-CodeCell" in (active.get_attribute("class") or "")
        handle = active.element_handle()
        page.keyboard.press("Shift+Enter")
        if not code:
            continue
        ran += 1
        # JupyterLab takes cells out of the page that are far from what is seen.
        try:
            page.wait_for_function(OVER, arg=handle, timeout=CELL_S * 1000)
        except sync_api.TimeoutError:
            page.screenshot(path=picture)
            prompt, status = page.evaluate(STATE, handle)
            return [
                f"code cell {ran} of {written} ({prompt!r}, kernel {status}) did not end within "
                f"{CELL_S} s: {handle.inner_text()[:300]} (see {picture})"
            ]
        wrong = handle.query_selector(
            '[data-mime-type="application/vnd.jupyter.stderr"], .jp-RenderedText[data-mime-type*="error"]'
        )
        if wrong is not None:
            first = handle.query_selector(".cm-line")
            return [f"{first.inner_text() if first else 'a cell'}: {wrong.inner_text()[:500]}"]
        if shows_a_figure(sources[ran - 1], text):
            try:
                page.wait_for_function(DRAWN, arg=handle)
            except sync_api.TimeoutError:
                page.screenshot(path=picture)
                return [f"no figure was drawn (see {picture}): {sources[ran - 1][:300]}"]
    return [] if ran else [f"no cell ran, of {len(cells)}"]


def shows_a_figure(source: str, text: str) -> bool:
    """Whether a cell of this chapter ends in a living figure, made there or before."""
    found = SHOWS.search(source)
    return bool(found and (not found[1] or re.search(MADE.format(found[1]), text, re.M)))


def test_a_cell_with_a_figure_is_known() -> None:
    text = "figure = result.explore()\nrace = rl.race('x')\n"
    assert shows_a_figure("living.zoo()\n", text)
    assert shows_a_figure("figure = result.explore()\nfigure\n", text)
    assert not shows_a_figure("race = rl.race('x')\nrace\n", text)
    assert not shows_a_figure("figure.update(race)\n", text)
    known = {path.stem: path.read_text() for path in CHAPTERS}
    cells = re.compile(r"^```\{code-cell\}[^\n]*\n(.*?)^```$", re.M | re.S)
    shown = [
        stem
        for stem, text in known.items()
        for source in cells.findall(text)
        if shows_a_figure(source, text)
    ]
    assert len(shown) >= len(re.findall(r"^living\.\w+\(", "\n".join(known.values()), re.M)) > 10


def test_a_chapter_saved_in_jupyterlab_keeps_its_header(tmp_path: Path) -> None:
    """What jupytext writes when somebody saves: the minutes stay, and no version of anybody's gets in."""
    (tmp_path / "notebooks").mkdir()
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    saved = shutil.copy(CHAPTERS[0], tmp_path / "notebooks")
    jupytext = ROOT / ".venv-book/bin/jupytext"
    for command in (
        ["--to", "ipynb", saved],
        ["--to", "md:myst", Path(saved).with_suffix(".ipynb")],
    ):
        subprocess.run([jupytext, *command], cwd=tmp_path, check=True, capture_output=True)

    head = Path(saved).read_text().split("---")[1]
    assert "slug: interpreter" in head
    assert "teach: 25" in head
    assert "version" not in head
