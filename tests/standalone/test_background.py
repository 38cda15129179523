"""``make up`` and ``make down``: one product in the background, started once, stopped cleanly."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from standalone.background import Background, wait_until_ready

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
        pid = json.loads((tmp_path / ".run" / "standalone.json").read_text())["pid"]
        environment = Path(f"/proc/{pid}/environ")
        tuned = environment.read_bytes() if environment.exists() else b"glibc.malloc"  # only Linux says
    finally:
        stopped = run("stop")
    again = run("stop")

    assert f"ready: http://127.0.0.1:{port}" in first.stdout, first.stderr
    assert all(part["ready"] for part in ready["parts"].values())
    assert b"glibc.malloc" in tuned
    assert "already running" in second.stdout
    assert [process.returncode for process in (first, second, stopped, again)] == [0, 0, 0, 0]
    assert "not running" in again.stdout
    assert (tmp_path / "data" / "gallery").is_dir()
    log = (tmp_path / ".run" / "standalone.log").read_text()
    assert "Traceback" not in log
    assert "the gallery is in" in log


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


class _Answering(ThreadingHTTPServer):
    """Answers every request with ``reply``: status and body."""

    reply = (200, b"")


class _Handler(BaseHTTPRequestHandler):
    server: _Answering

    def do_GET(self) -> None:
        """Answer."""
        status, body = self.server.reply
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


@pytest.fixture
def answering() -> Iterator[_Answering]:
    """Something else that listens on a port of this machine."""
    server = _Answering(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def starting() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that lives as long as the test."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_a_web_server_on_the_port_is_said_to_be_the_reason(run: Run, answering: _Answering):
    """Starting where another web server listens says so, starts nothing, and shows no traceback."""
    failed = run("start", GATEWAY_PORT=str(answering.server_port))

    assert failed.returncode == 1
    assert f"port {answering.server_port} of 127.0.0.1 is used by another program" in failed.stderr
    assert "Traceback" not in failed.stderr


@pytest.mark.parametrize(
    "reply", [(404, b"<html>not found</html>"), (200, b"<html>hello</html>"), (200, b'{"status": "up"}'), (503, b"[]")]
)
def test_a_strangers_answer_is_not_taken_for_the_products(
    answering: _Answering, starting: "subprocess.Popen[bytes]", reply: tuple[int, bytes]
):
    """Whoever took the port while the product was starting is recognised by its answer, in whatever form."""
    answering.reply = reply

    failure = wait_until_ready(starting, f"http://127.0.0.1:{answering.server_port}")

    assert "used by another program" in str(failure)


def test_a_proxy_does_not_stand_between_the_product_and_its_start(
    answering: _Answering, starting: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
):
    """Where the environment names a proxy, a product that is ready is found to be."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    answering.reply = (200, b'{"ready": true, "process": "gateway"}')

    assert wait_until_ready(starting, f"http://127.0.0.1:{answering.server_port}") is None


@pytest.mark.parametrize("state", ["", "{}", '{"pid": "x"}', json.dumps({"pid": 2**22 + 1, "url": "http://x"})])
def test_a_stale_or_damaged_state_is_not_a_running_product(tmp_path: Path, state: str):
    """After a crash or a reboot nothing is taken for the product, least of all a stranger's process."""
    (tmp_path / "standalone.json").write_text(state)

    assert Background(tmp_path).running() is None


def test_another_process_with_the_same_number_is_not_the_product(tmp_path: Path):
    """A process id that was reused is recognised by its command line."""
    (tmp_path / "standalone.json").write_text(json.dumps({"pid": os.getpid(), "url": "http://x"}))

    assert Background(tmp_path).running() is None
