"""A real nginx with the balancer's configuration, in front of servers that note what reaches them."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
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

            do_GET = do_POST = do_PATCH = do_DELETE = answer

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
def running(folder: Path, cluster: str = "compose") -> Iterator[Balancer]:
    """A real nginx, and two of each kind behind it."""
    with ExitStack() as stack:
        replicas = {f"{kind}-{letter}": Replica(f"{kind}-{letter}") for kind in KINDS for letter in "ab"}
        for replica in replicas.values():
            stack.callback(replica.server.server_close)
            stack.callback(replica.server.shutdown)
        ports = stack.enter_context(
            balancing(folder, {name: replica.port for name, replica in replicas.items()}, cluster)
        )
        yield Balancer(ports, replicas)


@pytest.fixture
def balancer(tmp_path: Path) -> Iterator[Balancer]:
    """As docker-compose.scale.yml has it."""
    with running(tmp_path) as started:
        yield started


def test_requests_are_spread(balancer):
    """Visitors reach both gateways, gateways both replicas of each service."""
    for port, kind in ((8080, "gateway"), (8001, "m1"), (8002, "m3")):
        with balancer.client(port) as client:
            answers = {client.post("/match", content=b"photo").text for _ in range(8)}
        assert answers == {f"{kind}-a", f"{kind}-b"}


@pytest.mark.parametrize(
    ("port", "path", "kind"), [(8080, "/match", "gateway"), (8001, "/search", "m1"), (8002, "/verify", "m3")]
)
def test_a_replica_that_is_gone_is_not_noticed(balancer, port, path, kind):
    """What a dead replica refuses to take is asked of the other, whatever it is."""
    balancer.replicas[f"{kind}-a"].stop()

    with balancer.client(port) as client:
        answers = [client.post(path, content=b"x" * 300_000) for _ in range(6)]

    assert {(answer.status_code, answer.text) for answer in answers} == {(200, f"{kind}-b")}


@pytest.mark.parametrize(
    ("port", "method", "path", "asked"),
    [
        (8001, "POST", "/search", 2),
        (8001, "POST", "/matches", 2),
        (8001, "POST", "/feedback", 1),
        (8002, "POST", "/verify", 2),
        (8080, "GET", "/index/images", 2),
        (8080, "POST", "/index/images", 1),
        (8001, "POST", "/index/images", 1),
        (8001, "PATCH", "/index/images/1", 1),
        (8080, "POST", "/match", 2),
    ],
)
def test_only_what_changes_nothing_is_asked_twice(balancer, port, method, path, asked):
    """When a replica dies over a request that it has, searches go to the other; what adds or edits does not."""
    heard = []

    def die(request: BaseHTTPRequestHandler) -> None:
        heard.append(read_body(request))
        request.close_connection = True
        request.connection.shutdown(socket.SHUT_RDWR)

    for replica in balancer.replicas.values():
        replica.handle = die

    with balancer.client(port) as client:
        answer = client.request(method, path, content=b"" if method == "GET" else b"photo")

    assert len(heard) == asked
    assert answer.status_code == 503
    assert answer.json()["error"]["code"].endswith("unavailable")


@pytest.mark.parametrize(("port", "path", "kind"), [(8001, "/search", "m1"), (8002, "/verify", "m3")])
def test_a_replica_that_is_loading_or_full_sends_searches_to_the_other(balancer, port, path, kind):
    """Its 503 reaches nobody while the other one answers, and never makes it count as dead."""

    def refuse(request: BaseHTTPRequestHandler) -> None:
        read_body(request)
        request.send_response(503)
        request.send_header("Content-Length", "0")
        request.end_headers()

    first, second = (balancer.replicas[f"{kind}-{letter}"] for letter in "ab")
    first.handle = refuse
    with balancer.client(port) as client:
        assert {client.post(path, content=b"photo").text for _ in range(8)} == {second.name}
        second.handle = refuse
        assert {client.post(path, content=b"photo").status_code for _ in range(8)} == {503}
        first.handle = second.handle = None
        assert {client.post(path, content=b"photo").text for _ in range(8)} == {first.name, second.name}


def test_events_arrive_as_they_come_about(balancer):
    """The candidates of a match reach the visitor before its verdicts exist."""
    seen = threading.Event()

    def answer_in_two(request: BaseHTTPRequestHandler) -> None:
        read_body(request)
        request.send_response(200)
        request.send_header("Content-Type", "text/event-stream")
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        for event in ("candidates", "result"):
            line = f"event: {event}\ndata: {{}}\n\n"
            request.wfile.write(f"{len(line):x}\r\n{line}\r\n".encode())
            request.wfile.flush()
            assert seen.wait(10)
        request.wfile.write(b"0\r\n\r\n")

    for replica in balancer.replicas.values():
        replica.handle = answer_in_two

    with balancer.client(8080) as client, client.stream("POST", "/match", content=b"photo") as answer:
        lines = answer.iter_lines()
        assert next(lines) == "event: candidates"
        seen.set()
        assert "event: result" in list(lines)


def test_an_upload_is_handed_on_as_it_comes(balancer):
    """Gigabytes of photos are not kept on the way: the service reads the beginning before the end is sent."""
    begun = threading.Event()

    def read_beginning(request: BaseHTTPRequestHandler) -> None:
        size = int(request.rfile.readline(), 16)
        request.rfile.read(size + 2)
        begun.set()
        read_body(request)
        request.send_response(200)
        request.send_header("Content-Length", "0")
        request.end_headers()

    def chunks() -> Iterator[bytes]:
        yield b"x" * 1000
        assert begun.wait(10)
        yield b"y" * 1000

    for port in (8080, 8001):
        begun.clear()
        for replica in balancer.replicas.values():
            replica.handle = read_beginning
        with balancer.client(port) as client:
            assert client.post("/index/images", content=chunks()).status_code == 200


def test_what_is_too_large_is_refused_in_the_products_words(balancer):
    """A photo of 65 MB never reaches a gateway; the same as an upload to the gallery does."""
    photo = bytes(65 * 1024 * 1024)
    with balancer.client(8080) as client:
        refused = client.post("/match", content=photo)
        assert balancer.heard("gateway") == {"gateway-a": 0, "gateway-b": 0}
        taken = client.post("/index/images", content=photo)

    assert (refused.status_code, refused.json()["error"]["code"]) == (413, "image_too_large")
    assert taken.status_code == 200


@pytest.mark.parametrize(
    ("port", "kind", "code"),
    [(8080, "gateway", "backend"), (8001, "m1", "retrieval"), (8002, "m3", "verifier")],
)
def test_nobody_there_is_said_in_the_products_words(balancer, port, kind, code):
    """Without any replica the answer is 503 in the one shape of errors, with a time to try again."""
    for letter in "ab":
        balancer.replicas[f"{kind}-{letter}"].stop()

    with balancer.client(port) as client:
        answer = client.post("/search", content=b"photo")

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert json.loads(answer.text)["error"]["code"] == f"{code}_unavailable"


def test_what_strangers_say_of_themselves_is_not_believed(balancer):
    """Address and identity come from the balancer; host and request id pass."""
    said = {"X-Forwarded-For": "1.2.3.4", "X-Asked-By": "admin", "Host": "guide.example.org", "X-Request-ID": "abc"}
    with balancer.client(8080) as client:
        client.get("/health/live", headers=said)

    (headers,) = [headers for replica in balancer.replicas.values() for _, _, headers in replica.heard]
    assert headers["X-Forwarded-For"] == "127.0.0.1"
    assert "X-Asked-By" not in headers
    assert (headers["Host"], headers["X-Request-ID"]) == ("guide.example.org", "abc")


def test_a_collections_report_is_asked_of_one_replica(balancer):
    """Reports live where they were made: those of one collection are always asked of the same replica."""
    with balancer.client(8001) as client:
        keepers = {
            name: {client.get(f"/collections/{name}/health").text for _ in range(4)} for name in map(str, range(12))
        }
        assert {len(kept) for kept in keepers.values()} == {1}
        assert set.union(*keepers.values()) == {"m1-a", "m1-b"}
        assert {client.get("/health/ready").text for _ in range(4)} == {"m1-a", "m1-b"}


def test_one_gateways_metrics_are_nobodys(balancer):
    """Which gateway answered would be chance, so none does."""
    with balancer.client(8080) as client:
        assert client.get("/metrics").status_code == 404


def test_behind_an_ingress_the_visitors_address_arrives(tmp_path):
    """In Kubernetes the same configuration runs with other upstreams, and believes pods and nodes only."""
    with running(tmp_path, "kubernetes") as balancer:
        with balancer.client(8080) as client:
            # The test is no pod: its word is not taken.
            assert client.get("/", headers={"X-Forwarded-For": "203.0.113.9"}).text == "gateway-a"
        with balancer.client(8002) as client:
            assert client.post("/verify", content=b"photo").text == "m3-a"
        with balancer.client(8001) as client:
            assert client.post("/search", content=b"photo").text == "m1-a"
            assert client.get("/collections/a/health").text == "m1-a"
        ((_, _, headers),) = balancer.replicas["gateway-a"].heard
        assert headers["X-Forwarded-For"] == "127.0.0.1"
