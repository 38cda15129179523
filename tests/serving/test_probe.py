import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from serving.probe import main


class _Process(BaseHTTPRequestHandler):
    """Ready at ``/ready``, not at ``/failed``; elsewhere loading when it is asked first, and then as the path ends."""

    asked: ClassVar[set[str]] = set()

    def do_GET(self) -> None:
        """Answer."""
        loading = self.path.startswith("/loading") and self.path not in self.asked
        self.asked.add(self.path)
        ready = self.path.endswith("/ready") and not loading
        reason = "the encoder is loading" if loading else "no such model"
        body = json.dumps({"ready": ready, "loading": loading, "reason": reason}).encode()
        self.send_response(200 if ready else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


@pytest.fixture
def address() -> Iterator[str]:
    """Where a process answers."""
    _Process.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Process)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_ready_process_is_healthy(address: str, capsys: pytest.CaptureFixture[str]):
    """200 is success, and nothing is said."""
    assert main([f"{address}/ready"]) == 0
    assert capsys.readouterr().err == ""


def test_a_process_that_failed_is_not_and_says_why(address: str, capsys: pytest.CaptureFixture[str]):
    """Any other answer is failure, with the process's own reason for whoever inspects the container."""
    assert main([f"{address}/failed"]) == 1
    assert "503" in (said := capsys.readouterr().err)
    assert "no such model" in said


@pytest.mark.parametrize(
    ("path", "status", "said"), [("/loading/ready", 0, ""), ("/loading/failed", 1, "no such model")]
)
def test_a_loading_process_is_waited_for(
    address: str, path: str, status: int, said: str, capsys: pytest.CaptureFixture[str]
):
    """Neither healthy nor unhealthy while its model loads; what becomes of it counts at once."""
    assert main([address + path]) == status
    assert said in (err := capsys.readouterr().err)
    assert "is loading" not in err


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/ready", "nonsense"])
def test_a_process_that_cannot_be_asked_is_not_healthy(url: str, capsys: pytest.CaptureFixture[str]):
    """A refused connection or a wrong address is failure, not a traceback."""
    assert main([url]) == 1
    assert "cannot be reached" in capsys.readouterr().err


def test_a_process_that_does_not_listen_yet_is_waited_for():
    """Imports may take a busy machine longer than Docker's patience: for so long as is said, a refusal is no answer."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    server: list[ThreadingHTTPServer] = []
    starting = threading.Timer(1.5, lambda: server.append(_serve(port)))
    starting.start()
    try:
        assert main([f"http://127.0.0.1:{port}/ready", "60"]) == 0
    finally:
        starting.join()
        server[0].shutdown()
        server[0].server_close()


def _serve(port: int) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("127.0.0.1", port), _Process)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    return server


def test_a_proxy_is_never_asked(address: str, monkeypatch: pytest.MonkeyPatch):
    """A proxy meant for fetching models does not stand between a container and its own health."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    assert main([f"{address}/ready"]) == 0


def test_without_an_address_it_explains_itself(capsys: pytest.CaptureFixture[str]):
    """A wrong call is answered with the right one."""
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err
