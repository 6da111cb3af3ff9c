"""The page in a real Chromium, as a user goes through it: `make test-page`.

Not collected with the other tests, as it needs playwright and a browser, which the environment
variable CHROMIUM names.
"""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from playwright.sync_api import sync_playwright

import swapmark
from swapmark.faces.drawn import save_faces

NAMES = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")


@pytest.fixture(scope="module")
def drawn():
    return swapmark.draw_faces(20, size=128, seed=3, fit=1, test=0)


@pytest.fixture(scope="module")
def photos(drawn, tmp_path_factory):
    folder = save_faces(drawn, tmp_path_factory.mktemp("page") / "photos")
    (folder / "marks.csv").unlink()
    return folder


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ["CHROMIUM"], args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture
def command(photos, tmp_path):
    """Starts `swapmark mark` and returns the process and the address of its page."""
    started = []

    def start(*words: str):
        line = [sys.executable, "-m", "swapmark", "mark", *words, str(photos)]
        line += ["--out", str(tmp_path / "marks.csv"), "--address-only"]
        process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process, process.stdout.readline().strip()

    yield start
    for process in started:
        process.kill()
        process.communicate()


class Tab:
    """A page as a user sees it, with the true places of the points."""

    def __init__(self, browser, address, drawn):
        self.page = browser.new_page(viewport={"width": 1100, "height": 700})
        self.problems = []
        self.page.on("pageerror", lambda error: self.problems.append(error))
        self.truth = dict(zip(drawn.points.files, drawn.points.xy.tolist(), strict=True))
        self.page.goto(address)
        self.until("picture && !loading")

    def until(self, condition: str) -> None:
        end = time.monotonic() + 60  # of a busy machine
        while not self.page.evaluate(condition):
            if time.monotonic() > end:
                raise TimeoutError(condition)
            time.sleep(0.05)

    @property
    def name(self) -> str:
        return self.page.inner_text("#name")

    def spot(self, xy) -> tuple[float, float]:
        x, y = self.page.evaluate("xy => toScreen(xy)", xy)
        box = self.page.locator("#canvas").bounding_box()
        return box["x"] + x, box["y"] + y

    def click_all(self) -> None:
        for xy in self.truth[self.name]:
            self.page.mouse.click(*self.spot(xy))

    def press(self, key: str) -> None:
        """A key that leads to another picture."""
        before = self.name
        self.page.keyboard.press(key)
        self.until(f"!loading && picture.name !== {before!r}")

    def drag(self, start, end) -> None:
        self.page.mouse.move(*self.spot(start))
        self.page.mouse.down()
        self.page.mouse.move(*self.spot(end), steps=4)
        self.page.mouse.up()
        self.until("saving.then(() => true)")


def table(tmp_path):
    return swapmark.read_points(tmp_path / "marks.csv")


def test_from_nothing_to_named_points_and_on_after_a_reload(
    browser, command, drawn, tmp_path, photos
):
    process, address = command("faces")
    tab = Tab(browser, address, drawn)
    tab.page.keyboard.type(", ".join(NAMES))  # the field has the focus
    tab.page.keyboard.press("Enter")
    tab.until("state.names.length === 5")
    for _ in range(3):
        tab.click_all()
        tab.press("Enter")
    tab.until("state.names.every((_, k) => suggestion(k))")
    assert len(table(tmp_path)) == 3, "suggestions are not saved"
    fourth = tab.name
    nose = tab.page.evaluate("place(2)")
    tab.drag(nose, tab.truth[fourth][2])
    begun = table(tmp_path)
    assert begun.marked[begun.files.index(fourth)].tolist() == [False, False, True, False, False]
    tab.page.reload()
    tab.until("picture && !loading && state.names.every((_, k) => place(k))")
    assert tab.name == fourth
    tab.press("Enter")
    fifth = tab.name
    tab.page.keyboard.press("3")
    tab.page.keyboard.press("m")
    tab.until("suggestion(0)")
    tab.press("Enter")
    assert tab.page.inner_text("#marked") == "5"
    assert "of the distance between left_eye and right_eye" in tab.page.inner_text("#error")
    tab.page.keyboard.press("ArrowLeft")
    tab.until(f"!loading && picture.name === {fifth!r}")
    for _ in range(2):  # the suggestions that were accepted, and the missing point
        tab.page.keyboard.press("z")
        tab.until("saving.then(() => true)")
    assert fifth not in table(tmp_path).files
    tab.page.keyboard.press("3")
    tab.page.keyboard.press("m")
    tab.press("Enter")
    assert tab.problems == []

    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=60)[0]
    assert process.returncode == 0
    assert "5 pictures marked" in told
    assert "swapmark fit faces" in told
    marked = table(tmp_path)
    assert marked.names == NAMES
    clicked = [row for row, file in enumerate(marked.files) if file not in (fourth, fifth)]
    truth = np.array([tab.truth[file] for file in marked.files])
    assert np.abs(marked.xy - truth)[clicked].max() < 0.2, "a click is exact to a screen's pixel"
    row = marked.files.index(fourth)
    assert np.abs(marked.xy - truth)[row, 2].max() < 0.2, "dragged"
    assert np.isnan(marked.xy[marked.files.index(fifth), 2]).all()
    named = swapmark.load("faces").fit_points(tmp_path / "marks.csv", photos)
    assert named.fit.counts["specimens"] == 5

    _, address = command("faces")  # goes on where it was
    tab.page.close()
    tab = Tab(browser, address, drawn)
    assert tab.page.inner_text("#marked") == "5"
    sixth = tab.name
    assert sixth not in marked.files
    tab.until("state.names.every((_, k) => suggestion(k))")
    tab.page.mouse.click(*tab.spot(tab.page.evaluate("place(0)")))
    tab.page.close()  # at once
    end = time.monotonic() + 60
    while sixth not in table(tmp_path).files:
        assert time.monotonic() < end, "a mark was lost as the browser was closed"
        time.sleep(0.05)


def test_without_a_run_the_keys_lead_on_and_zoom_keeps_places(browser, command, drawn, tmp_path):
    process, address = command("--names", ",".join(NAMES))
    tab = Tab(browser, address, drawn)
    first = tab.name
    tab.page.mouse.move(*tab.spot((60, 60)))
    tab.page.mouse.wheel(0, -900)
    tab.drag((60, 60), (66, 58))  # beside all points: moves the picture
    tab.page.mouse.click(*tab.spot((61.25, 59.5)))
    tab.until("picture.points[0]")
    assert np.abs(np.array(tab.page.evaluate("picture.points[0]")) - (61.25, 59.5)).max() < 0.2
    tab.page.keyboard.press("Tab")
    tab.page.keyboard.press("Shift+ArrowRight")
    tab.page.keyboard.press("1")
    tab.page.keyboard.press("Shift+ArrowDown")
    tab.until("saving.then(() => true)")
    assert table(tmp_path).xy[0, 0, 1] == pytest.approx(60.5, abs=0.2)
    tab.press("ArrowRight")
    assert tab.name == drawn.points.files[1]
    tab.press("ArrowLeft")
    assert tab.name == first
    tab.page.fill("#number", "7")
    tab.page.keyboard.press("Enter")
    tab.until("!loading && picture.index === 6")
    process.send_signal(signal.SIGINT)
    process.wait(timeout=60)
    tab.page.mouse.click(*tab.spot((20, 20)))
    tab.page.wait_for_selector("#problem:not([hidden])")
    assert "has ended" in tab.page.inner_text("#problem")
    assert tab.problems == []


def test_a_wrong_token_shows_nothing(browser, command):
    _, address = command()
    page = browser.new_page()
    answer = page.goto(address[:-3] + "xx/")
    assert answer.status == 404
    assert "whole address" in page.inner_text("body")
    assert page.locator("canvas").count() == 0


def test_another_page_on_the_same_table_is_refused(command, photos, tmp_path):
    command()
    line = [
        sys.executable,
        "-m",
        "swapmark",
        "mark",
        str(photos),
        "-o",
        str(tmp_path / "marks.csv"),
    ]
    other = subprocess.run(line, capture_output=True, text=True, timeout=60)
    assert other.returncode == 2
    assert "open in another page" in other.stderr
