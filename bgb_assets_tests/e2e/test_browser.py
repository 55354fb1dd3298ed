"""A person in the web UI: opens the graph, selects stages and songs, presses Materialize, sees the run succeed."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bgb_assets.modalities.contract import FAN_IN_STAGES, PER_UPLOAD_STAGES
from bgb_assets_tests.e2e import uploads
from bgb_assets_tests.e2e.live import Live

pytestmark = pytest.mark.browser

SONGS = ("song_8000", "song_8001")
ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--window-size=1600,1200")


class Browser:
    """Chromium on one page of the web UI; waits for what it is asked to click."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, url: str) -> None:
        """Go to a page."""
        self.driver.get(url)

    def text(self) -> str:
        """Return all text that the page shows."""
        return str(self.driver.find_element("tag name", "body").text)

    def find(self, text: str, inside: str = "*", limit_s: float = 30.0) -> Any:
        """Return the last visible element that has exactly this text, waiting for it."""
        path = f"//{inside}[normalize-space(text())='{text}']"

        def visible() -> Any:
            return [element for element in self.driver.find_elements("xpath", path) if element.is_displayed()]

        return self.wait(f"{text!r} is shown", visible, limit_s)[-1]

    def wait(self, what: str, ready: Callable[[], Any], limit_s: float) -> Any:
        """Wait until `ready()` is true; the page may change while it is looked at."""
        from selenium.common.exceptions import WebDriverException

        deadline_s = time.monotonic() + limit_s
        while time.monotonic() < deadline_s:
            try:
                if found := ready():
                    return found
            except WebDriverException:
                pass
            time.sleep(0.25)
        raise AssertionError(f"not within {limit_s} s: {what}; the page says:\n{self.text()}")

    def click(self, element: Any, *, add: bool = False) -> None:
        """Click an element; `add` it to what is selected."""
        from selenium.webdriver.common.action_chains import ActionChains
        from selenium.webdriver.common.keys import Keys

        seen: list[Any] = []

        def at_rest() -> bool:
            seen.append(element.rect)
            return seen[-2:-1] == seen[-1:]

        # A dialog that is still filling moves its parts: the click would meet the neighbour.
        self.wait("the element is at rest", at_rest, 30.0)
        steps = ActionChains(self.driver)
        if add:
            steps.key_down(Keys.SHIFT)
        steps.click(element)
        if add:
            steps.key_up(Keys.SHIFT)
        steps.perform()

    def escape(self) -> None:
        """Close what is open on top."""
        from selenium.webdriver.common.action_chains import ActionChains
        from selenium.webdriver.common.keys import Keys

        ActionChains(self.driver).send_keys(Keys.ESCAPE).perform()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    program, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("browser absent: no chromium and chromedriver; apt-get install chromium chromium-driver")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in (*ARGUMENTS, f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(argument)
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=driver))
    try:
        yield Browser(chrome)
    finally:
        # Kept by pytest in the test's folder: the picture says more than the message.
        chrome.save_screenshot(str(tmp_path / "last_page.png"))
        chrome.quit()


def test_materialize_from_the_graph(shared_live: Live, browser: Browser) -> None:
    uploads.good_songs(shared_live.inbox, [8_000, 8_001])
    shared_live.wait("the songs are in", lambda: set(SONGS) <= shared_live.members() and shared_live.settled(), 90)
    before = shared_live.events("beatmap/features", SONGS)

    browser.open(f"{shared_live.url}/locations/{shared_live.module}/asset-groups/beatmap/lineage")
    for stage in ("inbox", *PER_UPLOAD_STAGES, *FAN_IN_STAGES):
        browser.find(stage, "div")
    for i, stage in enumerate(PER_UPLOAD_STAGES):
        browser.click(browser.find(stage, "div"), add=i > 0)
    browser.click(browser.find("Materialize selected (4)…", "span"))
    browser.find("Launch runs to materialize 4 assets")
    browser.find("Failed and missing")  # the buttons come late, and push down what is below them
    browser.click(browser.find("Select a partition or create one"))
    for song in SONGS:
        browser.click(browser.find(song))
    browser.escape()
    browser.find("2 partitions")
    browser.click(browser.find("Launch backfill", "span"))
    browser.click(browser.find("View", "span"))

    browser.click(browser.find("Runs", "button"))  # the first tab says "Succeeded" from the start: it heads a column
    browser.wait("the backfill has succeeded", lambda: "Succeeded" in browser.text(), 120)
    browser.find("Success")
    assert "Failed" not in browser.text()
    after = shared_live.events("beatmap/features", SONGS)
    assert all(after[song].run != before[song].run for song in SONGS)
    assert all(after[song].metadata["outcome"] == "hit" for song in SONGS)
    assert [after[song].data_version for song in SONGS] == [before[song].data_version for song in SONGS]


def test_one_asset_shows_what_it_knows(shared_live: Live, browser: Browser) -> None:
    browser.open(f"{shared_live.url}/assets/beatmap/features?view=partitions&partition=song_8000")
    browser.find("song_8000")
    browser.find("outcome")
    browser.find("identity")
    browser.open(f"{shared_live.url}/assets/beatmap/features")
    browser.wait("its description", lambda: "Mel spectrogram and onset strength" in browser.text(), 30)
    browser.find("Freshness policy")
    browser.find("Passing")
