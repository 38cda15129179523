"""A real nginx with the balancer's configuration, in front of servers that note what reaches them."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest
from servers.shipped_balancer import read_body


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
        (8080, "GET", "/collections/a", 2),
        (8080, "DELETE", "/index/images/1", 1),
        (8080, "DELETE", "/collections/a", 1),
        (8001, "DELETE", "/index/images/1", 1),
        (8001, "DELETE", "/collections/a", 1),
        (8001, "PUT", "/anything", 1),
        (8001, "POST", "/collections/a/calibration", 1),
        (8001, "DELETE", "/collections/a/calibration", 1),
    ],
)
def test_only_what_changes_nothing_is_asked_twice(balancer, port, method, path, asked):
    """When a replica dies over a request that it has, searches go to the other; what changes something does not."""
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


@pytest.mark.parametrize("port", [8080, 8001])
@pytest.mark.parametrize("path", ["/index/images/a%20b?collection=c%2Fd", "/collections/a%2Fb?x=1"])
def test_what_is_asked_once_arrives_as_it_was_sent(balancer, port, path):
    """A deletion keeps its method, path and body on its way, and its answer the status."""
    bodies = []

    def refuse(request: BaseHTTPRequestHandler) -> None:
        bodies.append(read_body(request))
        request.send_response(404)
        request.send_header("Content-Length", "0")
        request.end_headers()

    for replica in balancer.replicas.values():
        replica.handle = refuse
    with balancer.client(port) as client:
        assert client.request("DELETE", path, content=b"x" * 300_000).status_code == 404

    assert bodies == [b"x" * 300_000]
    assert [(method, heard) for replica in balancer.replicas.values() for method, heard, _ in replica.heard] == [
        ("DELETE", path)
    ]


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
