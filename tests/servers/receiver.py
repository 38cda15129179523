"""A receiver of webhooks: a real HTTP server that records what it gets."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Thread


@dataclass(frozen=True, slots=True)
class Received:
    """One request."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Receiver:
    """The running server.

    Attributes:
        port: that it listens on.
        received: requests, oldest first.
        answers: statuses of the next answers; then 204.
    """

    port: int = 0
    received: "Queue[Received]" = field(default_factory=Queue)
    answers: list[int] = field(default_factory=list)

    def next(self) -> Received:
        """Wait for the next request."""
        return self.received.get(timeout=60)


@contextmanager
def receiving(port: int = 0) -> Iterator[Receiver]:
    """Listen until the block ends."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """Record the request, then answer."""
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = receiver.answers.pop(0) if receiver.answers else 204
            receiver.received.put(Received(self.path, dict(self.headers), body))
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Stay silent."""

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        receiver.port = server.server_port
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
