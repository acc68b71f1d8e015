"""The playground notebook in JupyterLab, in a browser, on a tiny study: what a user sees after a move of a slider."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from open_clip import CLIP
from PIL import Image
from tiny_study import make_study

browsers = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no browser here; the Debian package chromium has one")

QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-quic", "--disable-sync"]
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", *QUIET]
TOKEN = "playground"
PATIENCE = 180_000  # milliseconds; torch alone takes seconds to import, more where cores are shared


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(url: str, server: subprocess.Popen) -> None:
    for _ in range(600):
        assert server.poll() is None, "JupyterLab ended"
        try:
            urllib.request.urlopen(url).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("JupyterLab did not start")


@pytest.fixture
def lab(tmp_path: Path, photographs: Path, clip: CLIP) -> Iterator[str]:
    """JupyterLab's address of the playground notebook, in a folder with a tiny study; nothing of the user's is read."""
    make_study(tmp_path, photographs, clip)
    (tmp_path / "notebooks").mkdir()
    shutil.copy(ROOT / "notebooks/90_explore.ipynb", tmp_path / "notebooks")
    homes = {f"JUPYTER_{kind}_DIR": str(tmp_path / kind.lower()) for kind in ("CONFIG", "DATA", "RUNTIME")}
    environment = {**os.environ, **homes, "IPYTHONDIR": str(tmp_path / "ipython"), "PYTHONPATH": str(ROOT)}
    port = free_port()
    options = ["--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"]
    command = [sys.executable, "-m", "jupyterlab", *options, f"--IdentityProvider.token={TOKEN}"]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log)
    try:
        wait_for(f"http://127.0.0.1:{port}/api?token={TOKEN}", server)
        yield f"http://127.0.0.1:{port}/lab/tree/notebooks/90_explore.ipynb?token={TOKEN}"
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture
def page(lab: str) -> Iterator[Any]:
    """The notebook in a browser, all its cells run."""
    with browsers.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(PATIENCE)
        page.goto(lab)
        page.locator(".jp-CodeCell").nth(3).wait_for()
        page.get_by_text("| Idle").wait_for()  # a kernel that is not there yet would drop what it is asked
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        page.get_by_text("The gradients agree").wait_for()
        yield page
        browser.close()


def move(page: Any, cell: Any, slider: int, key: str) -> tuple[str, str]:
    """Press `key` on a slider of the cell; the cell's words before, and once they are others."""
    words = cell.locator(".jp-RenderedMarkdown")
    before = words.inner_text()
    cell.locator(".widget-slider .noUi-handle").nth(slider).focus()
    page.keyboard.press(key)
    browsers.expect(words).not_to_have_text(before, timeout=PATIENCE)
    return before, words.inner_text()


def test_words_and_pictures_follow_the_sliders(page: Any, tmp_path: Path) -> None:
    cells = page.locator(".jp-CodeCell")
    looked, turned = cells.nth(1), cells.nth(3)
    picture = looked.locator("img").get_attribute("src")
    before, after = move(page, looked, 0, "ArrowRight")
    assert before.startswith("Quality 0.")
    assert after.startswith("Quality 0.")
    browsers.expect(looked.locator("img")).not_to_have_attribute("src", picture)
    assert looked.locator("img").evaluate("image => image.naturalWidth") > 800

    before, after = move(page, turned, 1, "ArrowRight")
    assert "Removed is 1 times" in before
    assert "Removed is 1.1 times" in after

    assert cells.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    page.screenshot(path=tmp_path / "playground.png")
    with Image.open(tmp_path / "playground.png") as screen:
        assert len(screen.convert("RGB").getcolors(maxcolors=2**24)) > 100
