"""The sample for WeChat: its files are those that WeChat's tools ask for, and their syntax is right."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

SAMPLE = Path(__file__).parents[2] / "clients_sdk" / "wechat-miniprogram"
SCRIPTS = sorted(path.relative_to(SAMPLE) for path in SAMPLE.rglob("*.js"))


def test_every_page_has_its_files():
    """The pages of app.json are there, with script, settings, markup and style; every JSON file is valid."""
    pages = json.loads((SAMPLE / "app.json").read_text())["pages"]

    assert pages
    for page in pages:
        assert [suffix for suffix in ("js", "json", "wxml", "wxss") if not (SAMPLE / f"{page}.{suffix}").exists()] == []
    for path in SAMPLE.rglob("*.json"):
        assert isinstance(json.loads(path.read_text()), dict), path


def test_the_markup_is_complete_and_calls_what_the_page_has():
    """Every element is closed, and every tap leads to a function of the page."""
    for markup in SAMPLE.rglob("*.wxml"):
        root = ElementTree.fromstring(f'<root xmlns:wx="wx">{markup.read_text()}</root>')
        script = markup.with_suffix(".js").read_text()
        taps = {element.get("bindtap") for element in root.iter()} - {None}
        assert taps
        assert [tap for tap in taps if not re.search(rf"^  async {tap}\(", script, re.MULTILINE)] == []


@pytest.mark.parametrize("script", SCRIPTS, ids=str)
def test_every_script_can_be_parsed(script: Path):
    """By Node.js, where it is installed."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed: the syntax of the sample is NOT checked")

    checked = subprocess.run([node, "--check", SAMPLE / script], capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stderr
