"""``make up`` and ``make down``: one product in the background, started once, stopped cleanly."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from standalone.background import Background

ROOT = Path(__file__).parents[2]

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a command of the background in a folder of its own."""

    def run(command: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "standalone.background", command],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), **settings},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )

    return run


def test_the_product_starts_once_and_stops(run: Run, tmp_path: Path):
    """The first start waits until matches would succeed, the second says where it runs, the stop leaves nothing."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    try:
        first = run("start", GATEWAY_PORT=port)
        ready = httpx.get(f"http://127.0.0.1:{port}/health/ready").json()
        second = run("start", GATEWAY_PORT=port)
    finally:
        stopped = run("stop")
    again = run("stop")

    assert f"ready: http://127.0.0.1:{port}" in first.stdout, first.stderr
    assert all(part["ready"] for part in ready["parts"].values())
    assert "already running" in second.stdout
    assert [each.returncode for each in (first, second, stopped, again)] == [0, 0, 0, 0]
    assert "not running" in again.stdout
    assert (tmp_path / "data" / "gallery").is_dir()
    log = (tmp_path / ".run" / "standalone.log").read_text()
    assert "Traceback" not in log
    assert "the gallery lies in" in log


def test_a_start_that_fails_says_why_and_leaves_nothing(run: Run):
    """A model that cannot be loaded ends the start with its reason instead of a product that cannot answer."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])

    failed = run("start", GATEWAY_PORT=port, M1_ENCODER="clip")

    assert failed.returncode == 1
    assert "unknown encoder: 'clip'; known: dinov3, embedded" in failed.stderr
    assert "not running" in run("stop").stdout


def test_a_taken_port_is_said_to_be_the_reason(run: Run):
    """Starting on a port that something else uses fails with the server's own words."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        failed = run("start", GATEWAY_PORT=str(taken.getsockname()[1]))

    assert failed.returncode == 1
    assert "Address already in use" in failed.stderr


@pytest.mark.parametrize("state", ["", "{}", '{"pid": "x"}', json.dumps({"pid": 2**22 + 1, "url": "http://x"})])
def test_a_stale_or_damaged_state_is_not_a_running_product(tmp_path: Path, state: str):
    """After a crash or a reboot nothing is taken for the product, least of all a stranger's process."""
    (tmp_path / "standalone.json").write_text(state)

    assert Background(tmp_path).running() is None


def test_another_process_with_the_same_number_is_not_the_product(tmp_path: Path):
    """A process id that was reused is recognised by its command line."""
    (tmp_path / "standalone.json").write_text(json.dumps({"pid": os.getpid(), "url": "http://x"}))

    assert Background(tmp_path).running() is None
