"""The page of `swapmark mark`, gone through in Chromium by a program that knows the hand marks.

It marks pictures of split `fit` of ANNOTATED from nothing on, in the order in which the page offers
them: it clicks points that are not suggested, and drags those that are off by more than TOLERANCE.
What is fitted to its marks is scored on the pictures of `test`. A JSON line for each of SIZES:

- by_hand: points that were clicked or dragged, of so many
- estimate: the error that `swapmark fit` tells, error: that in `test`, both in %
- picture_seconds: from Enter to the next picture, suggestion_seconds: to its suggestions,
  refit_seconds: to suggestions of a fit to all marks; medians and the longest
- process_seconds: what the page's process has computed until then
- fit_seconds, predict_seconds: of `fit`, and of finding the points in all pictures of ANNOTATED

It needs playwright and a Chromium, which the environment variable CHROMIUM names (`make test-page`
installs the first).

    CHROMIUM=/usr/bin/chromium python benchmarks/mark_page.py mouse mouse-top.zip --out page.jsonl
"""

import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from cyclopts import run
from playwright.sync_api import Page, sync_playwright  # pyright: ignore[reportMissingImports]

import swapmark
from harness.machine import append_line, circumstances
from swapmark.page.suggester import BATCH
from swapmark.points.annotated import Annotated, read_annotated
from swapmark.specimens.metrics import choose_normaliser, mean_error, point_errors


class Marker:
    """Marks pictures in the page as a user would who knows the places of the points."""

    def __init__(self, page: Page, places: dict[str, np.ndarray], tolerance: float):
        self.page, self.places, self.tolerance = page, places, tolerance
        self.by_hand = self.points = 0
        self.seconds: dict[str, list[float]] = {"picture": [], "suggestion": [], "refit": []}

    def until(self, condition: str) -> None:
        # `wait_for_function` would need eval, which the page forbids.
        end = time.monotonic() + 600
        while not self.page.evaluate(condition):
            if time.monotonic() > end:
                raise TimeoutError(condition)
            time.sleep(0.02)

    def mark(self) -> None:
        """Mark the picture shown, and go to the next one."""
        name = self.page.inner_text("#name")
        shown = self.page.evaluate("state.names.map((_, k) => place(k))")
        for k, (xy, at) in enumerate(zip(self.places[name].tolist(), shown, strict=True)):
            self.points += 1
            if at is not None and np.hypot(*np.subtract(at, xy)) <= self.tolerance:
                continue
            self.by_hand += 1
            self.page.keyboard.press(str((k + 1) % 10))
            if np.isnan(xy).any():
                self.page.keyboard.press("m")
            elif at is None:
                self.page.mouse.click(*self.spot(xy))
            else:
                self.page.mouse.move(*self.spot(at))
                self.page.mouse.down()
                self.page.mouse.move(*self.spot(xy), steps=3)
                self.page.mouse.up()
        start = time.perf_counter()
        self.page.keyboard.press("Enter")
        for what, condition in {
            "picture": f"!loading && picture.name !== {name!r}",
            "suggestion": "state.marked < 3 || state.names.every((_, k) => suggestion(k))",
            "refit": "!picture.busy && state.version === picture.version",
        }.items():
            self.until(condition)
            self.seconds[what].append(round(time.perf_counter() - start, 3))

    def spot(self, xy) -> tuple[float, float]:
        """Where on the screen a place of the picture is."""
        x, y = self.page.evaluate("xy => toScreen(xy)", xy)
        box = self.page.locator("#canvas").bounding_box()
        assert box
        return box["x"] + x, box["y"] + y


def mark_page(
    model: str,
    annotated: Path,
    /,
    *,
    out: Path,
    sizes: tuple[int, ...] = (10, 20),
    tolerance: float = 2.0,
) -> None:
    """Go through the page of MODEL with pictures of ANNOTATED, a zip with images and marks."""
    marked = read_annotated(annotated)
    fit = [row for row, split in enumerate(marked.points.split or ()) if split == "fit"]
    names = [Path(marked.points.files[row]).name for row in fit]
    places = dict(zip(names, marked.points.xy[fit], strict=True))
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        images, table = Path(folder, "images"), Path(folder, "marks.csv")
        images.mkdir()
        with zipfile.ZipFile(annotated) as archive:
            for row, name in zip(fit, names, strict=True):
                with archive.open(marked.points.files[row]) as file:
                    shutil.copyfileobj(file, (images / name).open("wb"))
        words = ["--out", str(table), "--names", ",".join(marked.points.names), "--address-only"]
        line = [sys.executable, "-m", "swapmark", "mark", model, str(images), *words]
        server = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout
            server.stdout.readline()
            browser = playwright.chromium.launch(
                executable_path=os.environ["CHROMIUM"], args=["--no-sandbox"]
            )
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(server.stdout.readline().strip())
            marker = Marker(page, places, tolerance)
            marker.until("picture && !loading")
            batches = -(-len(fit) // BATCH)  # all are looked at: which is next depends on it
            marker.until(f"ask('state').then(now => now.version >= {batches})")
            for done in range(1, max(sizes) + 1):
                marker.mark()
                if done in sizes:
                    scores = _scores(model, marked, annotated, table, images)
                    append_line(out, _line(done, marker, server.pid) | scores | circumstances())
            browser.close()
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(timeout=60)


def _line(pictures: int, marker: Marker, process: int) -> dict:
    ticks = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    seconds = {
        f"{what}_seconds": [round(float(np.median(some)), 2), round(max(some), 2)]
        for what, some in marker.seconds.items()
    }
    return {
        "pictures": pictures,
        "by_hand": marker.by_hand,
        "points": marker.points,
        **seconds,
        "process_seconds": round(sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK"), 1),
        "page_says": marker.page.evaluate("state.report"),
    }


def _scores(model: str, marked: Annotated, annotated: Path, table: Path, images: Path) -> dict:
    detector = swapmark.load(model)
    start = time.process_time()
    named = detector.fit_points(table, images)
    fitted = time.process_time()
    named.predict(annotated)
    found = time.process_time()
    test = np.flatnonzero(np.array(marked.points.split) == "test")
    points = named.predict([marked.items[row] for row in test])
    truth = marked.points.take(test)
    assert points.files == truth.files
    assert named.fit
    assert points.sizes is not None
    lengths = choose_normaliser(None, truth.names).lengths(truth.xy, points.sizes)
    return {
        "estimate": round(named.fit.error, 3),
        "error": round(mean_error(point_errors(points.xy, truth.xy, lengths)), 3),
        "fit_seconds": round(fitted - start, 1),
        "predict_seconds": round(found - fitted, 1),
    }


if __name__ == "__main__":
    run(mark_page)
