"""Living figures: their state and HTML, and their JavaScript by node's own test runner."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from racelab import living, stats

ROOT = Path(__file__).resolve().parents[1]
NODE = shutil.which("node")
SIZE_LIMIT = 25_000


def kinds() -> list[str]:
    """All figures there are modules of."""
    found = sorted(path.stem for path in living.WIDGETS.glob("*.js"))
    return [kind for kind in found if kind not in ("base", "mount")]


@pytest.mark.skipif(NODE is None, reason="needs node: `apt-get install nodejs`")
@pytest.mark.parametrize(
    "file", sorted((ROOT / "tests/js").glob("*.test.mjs")), ids=lambda file: file.stem
)
def test_its_javascript(file: Path) -> None:
    rates = itertools.product((0.5, 0.1, 0.003, 1e-6), (0.5, 0.95, 0.999), (1, 100, 12345))
    expected = [
        {
            "p": p,
            "sure": sure,
            "n": n,
            "plan": stats.plan(p, sure),
            "detected": stats.detection(p, n),
            "below": stats.zero_failure_bound(n, sure),
        }
        for p, sure, n in rates
    ]
    assert NODE
    ran = subprocess.run(
        [NODE, "--test", str(file)],
        env={**os.environ, "RACELAB_EXPECTED": json.dumps(expected)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("kind", kinds())
def test_a_figure_is_small_and_needs_nobody(kind: str) -> None:
    text = living.module_text(kind)

    assert len(text.encode()) < SIZE_LIMIT
    assert "import " not in text, "anywidget takes one piece"
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    assert "innerHTML" not in text


def test_the_page_carries_the_state_and_cannot_be_broken_out_of() -> None:
    figure = living.planner(0.01, presets=[{"name": "</script><b>", "p": 0.1}])
    page = figure.as_html()

    assert page.count("</script>") == 1
    found = re.search(r'<script type="application/json">(.*?)</script>', page)
    assert found
    assert json.loads(found[1])["presets"][0]["name"] == "</script><b>"
    assert 'class="rl-still"' in page


def test_the_site_gets_html_and_a_kernel_gets_the_widget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(living.STATIC, "1")
    assert set(living.planner()._repr_mimebundle_()) == {"text/plain", "text/html"}
    monkeypatch.delenv(living.STATIC)
    figure = living.planner()
    assert "application/vnd.jupyter.widget-view+json" in figure._repr_mimebundle_()


@pytest.mark.parametrize("kind", kinds())
def test_a_notebook_shows_the_caption_too(kind: str) -> None:
    """On the site it stands in the page; a widget must draw it."""
    widget = living.Living(kind, {}, "What to try.", "<p>still</p>")._widget()
    assert widget is not None
    assert widget.caption == "What to try."
    assert widget._esm.count("\nexport default {") == 1
    assert 'model.get("caption")' in widget._esm
    # anywidget takes a `render` that is exported by name before the one of the default export.
    assert re.findall(r"^export .*", widget._esm, flags=re.MULTILINE) == ["export default {"]


def test_how_it_is_played_is_marked_in_the_caption_and_must_be_in_it() -> None:
    figure = living.Living(
        "zoo", {}, "Bugs < here. Point at one. Recorded.", "", how="Point at one."
    )
    wanted = '<figcaption>Bugs &lt; here. <span class="rl-how">Point at one.</span> Recorded.</figcaption>'
    assert wanted in figure.as_html()
    assert "rl-how" not in living.Living("zoo", {}, "Bugs.", "").as_html()
    with pytest.raises(ValueError, match="zoo: 'Drag' is no part of the caption"):
        living.Living("zoo", {}, "Bugs.", "", how="Drag")


@pytest.mark.parametrize(("p", "confidence"), [(0, 0.95), (2, 0.95), (0.1, 1.0)])
def test_a_value_out_of_range_is_refused(p: float, confidence: float) -> None:
    with pytest.raises(ValueError, match=r"give a (rate|chance) between"):
        living.planner(p, confidence=confidence)


def test_a_recorded_rate_names_a_speed_that_there_is() -> None:
    with pytest.raises(ValueError, match=r"give one of \['rounds'\]"):
        living.planner(speeds={"rounds": 1e6}, presets=[{"name": "x", "p": 0.1, "speed": "runs"}])
