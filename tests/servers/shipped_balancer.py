"""The balancer as it is shipped, in front of servers that note what reaches them."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
from servers.nginx import balancing

KINDS = ("gateway", "m1", "m3")
Handle = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Replica:
    """A server that answers with its name, unless told otherwise.

    Attributes:
        heard: method, path and headers of every request.
        handle: answers instead.
    """

    name: str
    heard: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    handle: Handle | None = None

    def __post_init__(self) -> None:
        replica, self._connections = self, list[socket.socket]()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                replica._connections.append(self.connection)

            def answer(self) -> None:
                replica.heard.append((self.command, self.path, dict(self.headers)))
                if replica.handle is not None:
                    replica.handle(self)
                    return
                read_body(self)
                self.send_response(200)
                self.send_header("Content-Length", str(len(replica.name)))
                self.end_headers()
                self.wfile.write(replica.name.encode())

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = answer

            def log_message(self, *_: object) -> None:
                """Keep quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self) -> None:
        """End as a killed process does: with all its connections."""
        self.server.shutdown()
        self.server.server_close()
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def read_body(request: BaseHTTPRequestHandler) -> bytes:
    if request.headers.get("Transfer-Encoding") == "chunked":
        data = b""
        while size := int(request.rfile.readline(), 16):
            data += request.rfile.read(size)
            request.rfile.readline()
        request.rfile.readline()
        return data
    return request.rfile.read(int(request.headers.get("Content-Length", 0)))


@dataclass
class Balancer:
    """The running nginx: a client for each of its ports, and the replicas behind it."""

    ports: dict[int, int]
    replicas: dict[str, Replica]

    def client(self, port: int) -> httpx.Client:
        return httpx.Client(base_url=f"http://127.0.0.1:{self.ports[port]}", timeout=10)

    def heard(self, kind: str) -> dict[str, int]:
        return {name: len(replica.heard) for name, replica in self.replicas.items() if name.startswith(kind)}


@contextmanager
def running(folder: Path, cluster: str = "compose", *, is_ingress: bool = False) -> Iterator[Balancer]:
    """A real nginx, and two of each kind behind it."""
    with ExitStack() as stack:
        replicas = {f"{kind}-{letter}": Replica(f"{kind}-{letter}") for kind in KINDS for letter in "ab"}
        for replica in replicas.values():
            stack.callback(replica.server.server_close)
            stack.callback(replica.server.shutdown)
        ports = stack.enter_context(
            balancing(
                folder, {name: replica.port for name, replica in replicas.items()}, cluster, is_ingress=is_ingress
            )
        )
        yield Balancer(ports, replicas)
