"""The planner in a browser: its controls agree, whichever of them was moved."""

from __future__ import annotations

from collections.abc import Iterator

import _browser as web
import _figures
import pytest
from playwright.sync_api import Browser, Page, expect

from racelab import living

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(web.CHROMIUM is None, reason=web.NO_CHROMIUM),
]


@pytest.fixture
def page(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A page with a planner and two rates to choose from."""
    figure = living.planner(
        0.001,
        speeds={"runs": 1e6, "rounds": 1e3},
        presets=[{"name": "rare", "p": 1e-5, "speed": "rounds"}, {"name": "frequent", "p": 0.3}],
    )
    folder = tmp_path_factory.mktemp("planner")
    with _figures.pages(folder, {"index": figure}) as base, web.quiet(browser, base) as page:
        page.goto(base)
        page.locator(".rl-drawn svg").wait_for()
        yield page
        assert web.violations(page) == []


def test_the_sliders_follow_a_recorded_rate_and_let_go_of_it(page: Page) -> None:
    rate = page.get_by_role("slider", name="Rate per run")
    recorded = page.get_by_role("combobox", name="Recorded")
    recorded.select_option(label="rare: 0.001\u00a0%")
    expect(rate).to_have_attribute("aria-valuetext", "0.001\u00a0%")
    expect(page.get_by_role("slider", name="Number of runs")).to_have_attribute(
        "aria-valuetext", "299,572"
    )
    expect(page.locator(".rl-living [role=status]")).to_contain_text("at a rate of 0.001\u00a0%")

    rate.focus()
    page.keyboard.press("ArrowRight")
    expect(recorded).to_have_value("")


def test_the_sliders_follow_a_link(page: Page) -> None:
    page.evaluate("() => { location.hash = 'planner=0.01,0.9,229'; }")
    for name, words in {"Rate per run": "1\u00a0%", "Chance to see it": "90\u00a0%"}.items():
        expect(page.get_by_role("slider", name=name)).to_have_attribute("aria-valuetext", words)


def test_a_slider_goes_where_the_keyboard_sends_it(page: Page) -> None:
    """Counts are whole, so a slider set from its own count would never leave 1."""
    number = page.get_by_role("slider", name="Number of runs")
    number.focus()
    page.keyboard.press("Home")
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    expect(number).to_have_value("10")


def test_a_small_chance_is_said_as_it_is_and_a_large_one_is_no_promise(page: Page) -> None:
    number = page.get_by_role("slider", name="Number of runs")
    chance = page.get_by_role("slider", name="Chance to see it")
    number.focus()
    page.keyboard.press("Home")
    expect(chance).to_have_attribute("aria-valuetext", "0.1\u00a0%")
    expect(page.locator(".rl-says")).to_contain_text("1 run")
    page.keyboard.press("End")
    expect(chance).to_have_attribute("aria-valuetext", "99.99\u00a0%")
    expect(page.locator(".rl-says")).to_contain_text("over 99.99\u00a0%, and miss it with under")


def test_a_recorded_rate_has_one_kind_of_time_in_its_link_too(page: Page) -> None:
    times = page.locator(".rl-says").get_by_text("a second")
    expect(times).to_have_count(2)
    page.get_by_role("combobox", name="Recorded").select_option(label="rare: 0.001\u00a0%")
    expect(times).to_have_text(["at 1,000 rounds a second"])
    page.get_by_role("slider", name="Rate per run").press("ArrowRight")
    expect(times).to_have_count(2)
    page.evaluate("() => { location.hash = 'planner=0.00001,0.95,299572,0'; }")
    expect(page.get_by_role("combobox", name="Recorded")).to_have_value("0")
    expect(times).to_have_text(["at 1,000 rounds a second"])
