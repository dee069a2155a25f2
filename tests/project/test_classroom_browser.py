"""The class's page in a browser: sixty learners at once, a server that dies meanwhile, and what a class would see."""

from __future__ import annotations

import contextlib
import json
import math
import re
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import _browser as web
import classroom as fake
import pytest
from playwright.sync_api import Browser, Page, expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(web.CHROMIUM is None, reason=web.NO_CHROMIUM),
    pytest.mark.skipif(not fake.RACELAB.exists(), reason="needs the kernel environment: make env"),
]

EVIL = "<img src=x onerror=alert(1)>"
LONG = "Wilhelmina-Alexandra Montgomery-Smythe"
SIZES = (0, 12, 60)
MARKS = "#plot .dot"


def fill(server: fake.Server, learners: int) -> None:
    """A class in the middle of an afternoon."""
    for number in range(learners):
        learner = fake.Learner(
            number, {3: EVIL, 7: LONG, 8: "<script>alert(2)</script>"}.get(number)
        )
        entries = [learner.race((20, 100, 100, 400)[number % 4])]
        if number % 4 == 1:
            entries += [learner.check("two_counters", "FAIL", age=age) for age in (900, 500)]
        else:
            entries.append(learner.check("two_counters", "PASS" if number % 3 else None, age=2000))
            entries += [
                learner.check("cached_length", "FAIL", age=1500),
                learner.check("cached_length"),
            ]
        if number == 4:  # passed is passed, whatever comes after it
            entries += [learner.check("cached_length", word) for word in ("PASS", "FAIL")]
        for entry in entries:
            assert server.ask("POST", "/api/results", entry)[0] == 201


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, fake.Server]]:
    """Classes of several sizes, which no test changes."""
    folder = tmp_path_factory.mktemp("class")
    running: dict[int, fake.Server] = {}

    def start(size: int) -> None:
        running[size] = fake.Server(folder / f"{size}.sqlite")
        fill(running[size], size)

    try:
        with ThreadPoolExecutor(len(SIZES)) as pool:
            list(pool.map(start, SIZES))
        yield running
    finally:
        for server in running.values():
            server.kill()


@pytest.fixture
def page(browser: Browser, classes: dict[int, fake.Server]) -> Iterator[Page]:
    """The page of a class of twelve."""
    with web.offline(browser, classes[12].base) as (context, watch):
        page = context.new_page()
        page.goto(classes[12].link)
        page.wait_for_selector(MARKS)
        yield page
    assert watch.outside == watch.failed == watch.messages == []


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("width", [1280, 1920, 390])
def test_page_is_fit_to_be_seen(
    browser: Browser, classes: dict[int, fake.Server], size: int, width: int
) -> None:
    """Nothing missing, nothing asked of anybody else, nothing too wide, nothing that axe objects to: light and dark."""
    with web.offline(browser, classes[size].base, width=width) as (context, watch):
        page = context.new_page()
        page.goto(classes[size].link)
        page.wait_for_selector(MARKS if size else ".nothing")
        views = page.locator("#views input").all() if size == max(SIZES) else [None]
        for view in views:
            if view is not None:
                view.check()
            for mode in web.MODES:
                page.emulate_media(color_scheme=mode)  # type: ignore[arg-type]
                page.wait_for_function(
                    "(mode) => document.documentElement.dataset.theme === mode", arg=mode
                )
                if width != 1920:  # the same as 1280, but larger
                    assert web.violations(page) == []
                web.picture(page, f"class-{size}-{views.index(view)}-{mode}-{width}")
            assert web.overflow(page) == []
        assert "self-reported" in page.inner_text("body").lower()
    assert watch.outside == watch.failed == watch.messages == []


def test_a_projected_page_needs_no_scrolling(
    browser: Browser, classes: dict[int, fake.Server]
) -> None:
    """Plot, legend and both lists are in view, and the smallest letters are not small."""
    with web.offline(browser, classes[60].base) as (context, _):
        page = context.new_page()
        page.set_viewport_size({"width": 1920, "height": 1080})
        page.goto(classes[60].link)
        page.wait_for_selector(MARKS)
        for part in ("#plot", "#legend", "#caption", "#stuck", "#progress"):
            box = page.locator(part).bounding_box()
            assert box is not None
            assert box["y"] + box["height"] <= 1080, part
        smallest: float = page.evaluate(
            "() => Math.min(...[...document.querySelectorAll('main *')].filter((e) => e.textContent.trim() && "
            "e.checkVisibility()).map((e) => parseFloat(getComputedStyle(e).fontSize)))"
        )
        assert smallest >= 17


def test_sixty_learners_at_once_and_a_restart(browser: Browser, tmp_path: Path) -> None:
    """They hand in while the server is killed and started again; the page never has to be loaded again."""
    file = tmp_path / "class.sqlite"
    box = [fake.Server(file)]
    link, port = box[0].link, box[0].port
    together = threading.Barrier(61)
    half, again = threading.Event(), threading.Event()
    taken: list[str] = []

    def hand_in(number: int) -> None:
        learner = fake.Learner(number)
        entries = [learner.race(), learner.check("two_counters"), learner.check("cached_length")]
        together.wait()
        for entry in entries:
            end = time.monotonic() + 60
            while time.monotonic() < end:
                try:
                    assert box[0].ask("POST", "/api/results", entry)[0] in (200, 201)
                except (OSError, fake.http.client.HTTPException):
                    half.set()
                    time.sleep(0.1)
                    continue
                taken.append(entry["key"])
                break
            if len(taken) >= 60:
                half.set()
                again.wait(60)

    context = browser.new_context(viewport={"width": 1280, "height": 800})
    try:
        page = context.new_page()
        page.goto(link)
        page.wait_for_selector(".nothing")
        page.evaluate("() => { window.sameDocument = true; }")
        with ThreadPoolExecutor(60) as pool:
            done = [pool.submit(hand_in, number) for number in range(60)]
            together.wait()
            assert half.wait(60)
            box[0].kill()
            before = len(taken)
            again.set()
            status = page.locator("#status")
            expect(status).to_have_text(
                re.compile(r"No connection since \d\d:\d\d; trying again\.")
            )
            box[0] = fake.Server(file, port)
            for one in done:
                one.result()
        assert 0 < before < 180
        assert len(set(taken)) == 180
        expect(page.locator("#count")).to_have_text("60 learners, 180 results, self-reported")
        expect(status).to_have_text("")
        expect(page.locator(MARKS)).to_have_count(60)
        assert page.evaluate("() => window.sameDocument")
        assert len({row["id"] for row in box[0].all()}) == 180
    finally:
        again.set()
        context.close()
        box[0].kill()


def test_names_are_text(page: Page) -> None:
    alerts: list[Any] = []
    page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    page.locator("#numbers summary").click()
    expect(page.locator("#numbers").get_by_text(EVIL)).to_be_visible()
    expect(page.locator("#numbers").get_by_text("<script>alert(2)</script>")).to_be_visible()
    assert page.locator("main img, main script").count() == 0
    assert EVIL in "".join(page.locator(f"{MARKS} title").all_text_contents())
    assert alerts == []


def test_rate_against_count(page: Page, classes: dict[int, fake.Server]) -> None:
    """A mark for each learner, as high as its rate and as far as its count; one look for each machine."""
    races = [row for row in classes[12].all() if row["kind"] == "race"]
    assert (
        page.locator("#plot-title").inner_text()
        == "lost_update, broken: 2 threads, 1 round a repetition"
    )
    assert page.locator(MARKS).count() == len(races) == 12
    looks = page.evaluate(
        "() => new Set([...document.querySelectorAll('#plot .dot')].map((e) => getComputedStyle(e).stroke)).size"
    )
    assert looks == len({row["machine"] for row in races}) == page.locator("#legend li").count()
    seen = places(page)
    by_rate = sorted(races, key=lambda row: row["failed_repetitions"] / row["repetitions"])
    heights = [seen[said(row)][1] for row in by_rate]
    assert heights == sorted(heights, reverse=True)
    columns = {
        n: [seen[said(row)][0] for row in races if row["repetitions"] == n] for n in (20, 100, 400)
    }
    assert max(columns[20]) < min(columns[100]) < max(columns[100]) < min(columns[400])


def said(row: dict[str, Any]) -> str:
    return (
        f": {row['failed_repetitions']} of {row['repetitions']} repetitions failed#{row['learner']}"
    )


def places(page: Page) -> dict[str, tuple[float, float]]:
    """What a mark says, without the name, and which learner's it is by its order -> where it is."""
    found = page.evaluate(
        """() => [...document.querySelectorAll('#plot .dot')].map((e) => {
          const [x, y] = e.getAttribute('transform').match(/[\\d.]+/g).map(Number);
          return [e.querySelector('title').textContent, x, y];
        })"""
    )
    return {
        f"{text[text.rindex(': ') :]}#{number}": (x, y)
        for number, (text, x, y) in enumerate(found, start=1)
    }


def test_seen_at_least_once(page: Page, classes: dict[int, fake.Server]) -> None:
    """Each learner is a step upwards at its first failure; who has seen none is hollow; the dashed line is 1-(1-p)^N."""
    races = [row for row in classes[12].all() if row["kind"] == "race"]
    page.get_by_role("radio", name="seen at least once").check()
    expect(page.locator("#plot .expected")).to_have_count(1)
    marks = sorted(places(page).values(), key=lambda place: (place[0], -place[1]))
    heights = [y for _, y in marks]
    assert heights == sorted(heights, reverse=True)
    assert len(set(heights)) >= sum(row["first"] > 0 for row in races)
    assert page.locator(f"{MARKS}.hollow").count() == sum(not row["first"] for row in races) > 0
    failed = sum(row["failed_repetitions"] for row in races)
    runs = sum(row["repetitions"] for row in races)
    assert f"{failed} of {runs:,} repetitions" in page.inner_text("#caption")


def test_rates_of_starters(page: Page, classes: dict[int, fake.Server]) -> None:
    latest = {
        row["learner"]: row
        for row in classes[12].all()
        if row["subject"] == "two_counters" and row["power_rounds"]
    }
    page.get_by_label("What is shown").select_option(label="Exercise two_counters: its starter")
    expect(page.locator(MARKS)).to_have_count(len(latest))
    assert page.locator("#views input").count() == 1
    page.locator("#numbers summary").click()
    rows = page.locator("#numbers tbody tr").all()
    shown = {tuple(row.locator("td.number").all_inner_texts()) for row in rows}
    assert shown == {
        (f"{row['power_failed']:,}", f"{row['power_rounds']:,}") for row in latest.values()
    }


RACED = """
import json, sys
from racelab.classroom.entry import Entry
from racelab.lab import ACCEPTABLE, FORBIDDEN
from racelab.result import Repetition, Result

grades = {"lost": FORBIDDEN("lost"), "kept": ACCEPTABLE("kept")}
found = []
for number, (failed, rounds, calibrated) in enumerate(json.load(sys.stdin), start=1):
    ran = tuple(Repetition({"lost": k, "kept": rounds - k}, "ok", rounds, 0.1, failed_rounds=k) for k in failed)
    seen = {"lost": sum(failed), "kept": rounds * len(failed) - sum(failed)}
    one = Result("lost_update", "broken", "", seen, grades, (), ran, 2, gil=False, calibrated=calibrated)
    entry = Entry.of_result(one, f"{number:032x}", f"Learner {number}").as_json()
    found.append([entry, str(one.rate_per_round), str(one.rate_per_repetition), str(one)])
print(json.dumps(found))
"""


def raced(
    *results: tuple[list[int], int, bool | None],
) -> list[tuple[dict[str, Any], str, str, str]]:
    """Results as racelab makes them: what is handed in, and what a terminal says of each."""
    command = [str(fake.ROOT / ".venv-ft/bin/python"), "-c", RACED]
    said = subprocess.check_output(command, text=True, input=json.dumps(results))
    return [tuple(one) for one in json.loads(said)]


def in_words(sentence: str) -> str:
    """What a sentence of the terminal says about a rate, as a cell of the page says it."""
    _, _, words = sentence.partition(" failed: ")
    words = words.replace("95 % sure the rate is ", "")
    return words.replace("95 %: ", "")


SAME_ROUNDS = (
    ([193, 0, 10, 2, 400, 0, 171, 20], 500, None),  # processes differ more than chance allows
    ([0] * 100, 500, True),
    ([1] * 18 + [0] * 2, 500, None),
    ([500] * 20, 500, None),
    ([1] + [0] * 99, 500, None),
    ([0] * 30, 500, False),
)
ALONE = tuple(
    ([1] * k + [0] * (n - k), 1, None if k else True)
    for k, n in ((0, 100), (18, 20), (20, 20), (1, 100), (999, 1000), (1, 3000), (0, 40_000))
)


@pytest.mark.parametrize("results", [SAME_ROUNDS, ALONE], ids=["rounds", "alone"])
def test_rates_are_those_of_the_terminal(
    browser: Browser, tmp_path: Path, results: tuple[Any, ...]
) -> None:
    """Word for word, per round and per repetition; and the bars end where these intervals do."""
    sent = raced(*results)
    with fake.served(tmp_path / "class.sqlite") as server, web.quiet(browser, server.base) as page:
        for entry, *_ in sent:
            assert server.ask("POST", "/api/results", entry)[0] == 201
        page.goto(server.link)
        page.wait_for_selector(MARKS)
        page.locator("#numbers summary").click()
        for view, place in (("round", 1), ("rate", 2)):
            page.locator(f"#views [value={view}]").check()
            cells = page.locator("#numbers tbody tr td:nth-child(2)").all_inner_texts()
            shown = [cell.replace("\u00a0", " ") for cell in cells]
            said = [
                "inconclusive" if "INCONCLUSIVE" in one[3] else in_words(one[place]) for one in sent
            ]
            assert shown == said
            sure = [one for one in sent if "INCONCLUSIVE" not in one[3]]
            assert page.locator("#plot .range").count() == len(sure)
        # The square root of a share is its height: see what is drawn, not what is said.
        name = "repetition_interval"
        ends = [
            (1 - math.sqrt(one[0][name][1])) / (1 - math.sqrt(one[0][name][0]) or 1) for one in sure
        ]
        top = page.evaluate(
            "() => [...document.querySelectorAll('#plot .grid')].map((e) => +e.getAttribute('y1'))"
        )
        seen = page.evaluate(
            "() => [...document.querySelectorAll('#plot .range')].map((e) => [+e.getAttribute('y2'), +e.getAttribute('y1')])"
        )
        drawn = [(high - min(top)) / (low - min(top) or 1) for high, low in seen]
        assert drawn == pytest.approx(ends, abs=1e-3)


def test_results_of_an_older_racelab_have_no_bar(browser: Browser, tmp_path: Path) -> None:
    old = fake.Learner(1).race(100)
    for name in ("interval", "repetition_interval"):
        del old[name]
    with fake.served(tmp_path / "class.sqlite") as server, web.quiet(browser, server.base) as page:
        assert server.ask("POST", "/api/results", old)[0] == 201
        page.goto(server.link)
        for view in ("rate", "seen", "round"):
            page.locator(f"#views [value={view}]").check()
            expect(page.locator(MARKS)).to_have_count(1)
            assert page.locator("#plot .range").count() == 0
        page.locator("#numbers summary").click()
        assert " to " not in page.locator("#numbers tbody td").first.inner_text()


def test_a_machine_that_shows_nothing_is_no_clean_one(browser: Browser, tmp_path: Path) -> None:
    """Struck through, without a bar, called so in the table, and left out of what the class sees together."""
    sent = raced(([0, 1, 0, 0], 1, None), ([0] * 20, 1, True), ([0] * 200, 1, False))
    with fake.served(tmp_path / "class.sqlite") as server, web.quiet(browser, server.base) as page:
        for entry, *_ in sent:
            server.ask("POST", "/api/results", entry)
        page.goto(server.link)
        page.locator("#numbers summary").click()
        for view in ("rate", "seen", "round"):
            page.locator(f"#views [value={view}]").check()
            expect(page.locator(MARKS)).to_have_count(3)
            silent = page.locator(f"{MARKS}.struck")
            assert silent.locator("title").text_content().endswith(", inconclusive")  # type: ignore[union-attr]
            assert silent.count() == 1
            assert "inconclusive" in page.inner_text("#caption")
            assert page.locator("#numbers tbody tr").all_inner_texts()[2].count("inconclusive") == 1
        page.locator("#views [value=seen]").check()
        caption = page.inner_text("#caption")
        assert "1 of 2 have seen it" in caption
        assert "1 of 24 repetitions, 4.2\u00a0%" in caption
        web.picture(page, "class-inconclusive")
    with fake.served(tmp_path / "b.sqlite") as server, web.quiet(browser, server.base) as page:
        server.ask("POST", "/api/results", sent[2][0])
        page.goto(server.link)
        for view in ("seen", "round", "rate"):
            page.locator(f"#views [value={view}]").check()
            expect(page.locator(f"{MARKS}.struck")).to_have_count(1)
        assert "NaN" not in page.content()


def test_whoever_has_left_is_not_stuck(browser: Browser, tmp_path: Path) -> None:
    ada, bob = fake.Learner(1), fake.Learner(2)
    with fake.served(tmp_path / "class.sqlite") as server, web.quiet(browser, server.base) as page:
        for learner in (ada, bob):
            entry = learner.check("two_counters", "FAIL", age=900)
            server.ask("POST", "/api/results", {**entry, "reason": "trial"})
        # Who left soon after a first check was never stuck, however long ago that is.
        soon = fake.Learner(3)
        server.ask("POST", "/api/results", soon.check("two_counters", "FAIL", age=900))
        server.ask("POST", "/api/leave", {"learner": soon.id})
        with contextlib.closing(sqlite3.connect(tmp_path / "class.sqlite")) as file, file:
            file.execute("UPDATE learners SET left_at = left_at - 880")
        page.goto(server.link)
        place = page.locator("#stuck .place")
        expect(place).to_contain_text("2 stuck")
        assert "left the class" not in place.inner_text()
        assert "2 learners: the test takes wrong code for right" in place.inner_text()
        assert server.ask("POST", "/api/leave", {"learner": bob.id})[0] == 200
        expect(place).to_contain_text("1 stuck, 1 left the class")
        assert "1 learner: the test" in place.inner_text()
        gone = place.locator("li.gone")
        assert gone.inner_text().split("\n") == [bob.name, "has left"]
        assert " min" in place.locator("li").first.inner_text()
        web.picture(page, "class-left")
        server.ask("POST", "/api/leave", {"learner": ada.id})
        expect(place).to_contain_text("2 left the class")
        assert "stuck" not in place.inner_text()
        assert " min" not in place.inner_text()
        server.ask("POST", "/api/results", bob.check("two_counters", "FAIL"))
        expect(place).to_contain_text("1 stuck, 1 left the class")


def test_exercises_say_who(page: Page, classes: dict[int, fake.Server]) -> None:
    """Behind a click, for it may be sixty names; it stays open while results come in."""
    checks = [row for row in classes[12].all() if row["kind"] == "check"]
    passed = {
        row["learner"]
        for row in checks
        if (row["subject"], row["verdict"]) == ("cached_length", "PASS")
    }
    entry = page.locator("#progress li").filter(has_text="cached_length")
    groups = entry.locator(".group")
    expect(groups.first).to_be_hidden()
    entry.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(groups.first).to_be_visible()
    assert groups.first.locator("span").first.inner_text() == "passed:"
    assert groups.first.locator(".who").count() == len(passed)
    assert "not checked:" in groups.last.inner_text()
    everybody = {row["learner"] for row in checks}
    assert groups.locator(".who").count() == len(everybody)
    assert web.violations(page) == []

    page.locator("#legend button").first.click()  # drawn anew
    expect(groups.first).to_be_visible()
    entry.locator("summary").focus()
    page.evaluate("() => dispatchEvent(new Event('resize'))")
    page.set_viewport_size({"width": 1100, "height": 800})
    page.wait_for_timeout(300)
    assert page.evaluate("() => document.activeElement.dataset.look") == "who-cached_length"

    page.get_by_label("Names").uncheck()
    assert page.locator("#progress .who, #progress summary").count() == 0
    assert "passed" in entry.inner_text()


def test_names_of_sixty_can_be_read(browser: Browser, classes: dict[int, fake.Server]) -> None:
    for width in (1920, 390):
        with web.quiet(browser, classes[60].base, width=width) as page:
            page.goto(classes[60].link)
            page.wait_for_selector(MARKS)
            for summary in page.locator("#progress summary").all():
                summary.click()
            assert page.locator("#progress .who:visible").count() == 120
            assert web.overflow(page) == []
            web.picture(page, f"class-who-{width}")


def test_numbers_on_a_phone_begin_with_the_rate(
    browser: Browser, classes: dict[int, fake.Server]
) -> None:
    """What was counted is in view; only the machine has to be scrolled to."""
    with web.quiet(browser, classes[60].base, width=390) as page:
        page.goto(classes[60].link)
        page.wait_for_selector(MARKS)
        page.locator("#numbers summary").click()
        heads = page.locator("#numbers thead th")
        assert heads.all_inner_texts()[1:3] == ["Rate, 95 %", "Failed"]
        box = heads.nth(2).bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= 390
        web.picture(page, "class-numbers-390")


def test_the_wall_says_where_the_command_works(
    browser: Browser, classes: dict[int, fake.Server]
) -> None:
    for size in (0, 12):
        with web.quiet(browser, classes[size].base) as page:
            page.goto(classes[size].link)
            expect(page.locator("#join")).to_contain_text(
                "in a terminal of JupyterLab; in any other, .venv-ft/bin/racelab"
            )


def first_at(server: fake.Server, name: str) -> float:
    """When a learner has handed in something for the first time, as the server tells it."""
    news = server.ask("GET", "/api/state")[1]
    [number] = [int(number) for number, one in news["learners"].items() if one == name]
    return min(row["at"] for row in server.all() if row["learner"] == number)


def test_who_is_stuck_where(page: Page, classes: dict[int, fake.Server]) -> None:
    place = page.locator("#stuck .place").filter(has_text="two_counters")
    assert "3 stuck" in place.inner_text()
    assert place.locator(".who").all_inner_texts() == ["Grace A.", "Leslie A.", "山田 A."]
    said = re.findall(r"\b(\d+) min\b", place.inner_text())
    longest = int(time.time() - first_at(classes[12], "Grace A.")) // 60
    assert len(said) == 3
    assert all(15 <= int(minutes) <= longest for minutes in said)

    page.get_by_label("Names").uncheck()

    assert "3 stuck" in place.inner_text()
    assert place.locator(".who").count() == 0
    page.locator("#numbers summary").click()
    assert set(page.locator("#numbers .who").all_inner_texts()) == {"a learner"}
    assert EVIL not in page.content()
    assert "Grace" not in page.content()


def test_how_far_exercises_are(page: Page, classes: dict[int, fake.Server]) -> None:
    checks = [row for row in classes[12].all() if row["subject"] == "cached_length"]
    last = {row["learner"]: row["verdict"] for row in checks}
    passed = {row["learner"] for row in checks if row["verdict"] == "PASS"}
    words = page.locator("#progress li").filter(has_text="cached_length").inner_text()
    assert f"{len(passed)} passed" in words
    for verdict, word in (("FAIL", "failing"), ("INCONCLUSIVE", "inconclusive")):
        count = sum(v == verdict for learner, v in last.items() if learner not in passed)
        assert (f"{count} {word}" in words) == bool(count)


def test_keyboard_reaches_everything_and_keeps_its_place(page: Page) -> None:
    seen = web.tab_through(page)
    shown = page.locator("a, button, select, summary, input, [tabindex='0']").count()
    assert "Skip to the plot" in seen[0]["html"]
    assert [one["html"] for one in seen if not one["ring"] and "radio" not in one["html"]] == []
    assert len(seen) >= shown - 2 - 1  # two of three radio buttons, and the folded table

    page.locator("#legend button").first.focus()
    page.keyboard.press("Enter")
    assert page.locator(f"{MARKS}.away").count() > 0
    assert page.evaluate("() => document.activeElement.closest('#legend') !== null")
    page.keyboard.press("Enter")
    assert page.locator(f"{MARKS}.away").count() == 0

    page.locator("#views input:checked").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#plot .expected")).to_have_count(1)
    assert page.evaluate("() => document.activeElement.value") == "seen"


def test_colours_are_chosen_and_remembered(page: Page) -> None:
    def now() -> str:
        return str(page.evaluate("() => document.documentElement.dataset.theme"))

    assert now() == "light"
    page.locator("#theme").press("Enter")
    assert now() == "dark"
    page.reload()
    assert now() == "dark"
    page.locator("#theme").press("Enter")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("() => document.documentElement.dataset.theme === 'dark'")


@pytest.mark.parametrize(
    ("tail", "words"),
    [("", "The link is not whole"), ("#wrong-token", "This is not the class's token")],
)
def test_a_link_that_is_not_right_says_so(
    browser: Browser, classes: dict[int, fake.Server], tail: str, words: str
) -> None:
    with web.offline(browser, classes[0].base) as (context, _):
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda one: asked.append(one.url) if "/api/" in one.url else None)
        page.goto(f"{classes[0].base}/{tail}")
        expect(page.locator("#status")).to_contain_text(words)
        assert page.locator(MARKS).count() == 0
        page.wait_for_timeout(5000)  # it would ask every two seconds
        assert len(asked) == (1 if tail else 0)
        expect(page.locator("#status")).to_contain_text(
            "This page asks no more: load it again to try once more." if tail else words
        )


def test_another_class_at_the_same_address_begins_anew(browser: Browser, tmp_path: Path) -> None:
    """A new file and an old page: nothing of the old class stays on the wall. Its token is another one, too."""
    first = fake.Server(tmp_path / "a.sqlite")
    fill(first, 3)
    context = browser.new_context()
    try:
        page = context.new_page()
        page.goto(first.link)
        expect(page.locator("#count")).to_contain_text("3 learners")
        first.kill()
        with fake.served(tmp_path / "b.sqlite", first.port) as second:
            fill(second, 1)
            expect(page.locator("#status")).to_contain_text("This is not the class's token")
            page.goto(second.link)
            expect(page.locator("#count")).to_contain_text("1 learner,")
    finally:
        context.close()
        first.kill()
