"""Clients that send nothing, or next to nothing, or read nothing, and answers that break off: with real sockets."""

import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
from bad_photos import GOOD_PHOTO
from fakes.images import draw_place, encode
from PIL import Image

ROOT = Path(__file__).parents[2]
IDLE = 150
STALL_S = 1.5
BOUNDARY = "multipart/form-data; boundary=x"
PART = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n' + GOOD_PHOTO[:500]


def head(path: str) -> bytes:
    """Of a request with a form, announcing a megabyte."""
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Type: {BOUNDARY}", "Content-Length: 1000000", "", ""]
    return "\r\n".join(lines).encode()


BEGINNINGS = {
    "nothing": b"",
    "half a head": b"POST /match HTTP/1.1\r\nHost: 127.0.0.1\r\n",
    "a head": head("/match"),
    "half a photo": head("/match") + PART,
    "half an upload": head("/index/images") + PART,
    "half a change": b"PATCH /index/images/x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\n{",
}


@contextmanager
def running(folder: Path, open_files: int | None = None, **settings: object) -> Iterator[httpx.Client]:
    """The product as a process of its own, with one photo in its gallery; its shell may limit its open files."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}",
        "GATEWAY_PORT": str(port),
        "M1_DATA_DIR": str(folder),
        "M3_DATA_DIR": str(folder),
        **{name: str(value) for name, value in settings.items()},
    }
    limit = f"ulimit -Sn {open_files}; " if open_files else ""
    program = [
        "sh",
        "-c",
        f'{limit}exec "$0" "$1"',
        sys.executable,
        str(Path(__file__).with_name("product_process.py")),
    ]
    with (
        (folder.parent / f"{folder.name}.log").open("wb") as log,
        subprocess.Popen(program, env=environment, stdout=subprocess.PIPE, stderr=log) as process,
    ):
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n", Path(log.name).read_text()[-3000:]
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                assert add(client, GOOD_PHOTO).json()["added"] == 1
                yield client
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """With little patience, and places as it comes."""
    with running(
        tmp_path_factory.mktemp("slow") / "gallery", GATEWAY_STALL_TIMEOUT_S=STALL_S, M1_STALL_TIMEOUT_S=STALL_S
    ) as client:
        yield client


def add(client: httpx.Client, photo: bytes) -> httpx.Response:
    """Add a photo."""
    return client.post("/index/images", files={"file": ("a.jpg", photo)})


def match(client: httpx.Client) -> httpx.Response:
    """Ask about a photo."""
    return client.post("/match", files={"file": ("q.jpg", GOOD_PHOTO)})


def connect(client: httpx.Client, beginning: bytes) -> socket.socket:
    """Open a connection and send the beginning of a request, no more."""
    connection = socket.create_connection((client.base_url.host, client.base_url.port), timeout=30)
    connection.sendall(beginning)
    return connection


def read_to_the_end(connection: socket.socket) -> bytes:
    """Everything until the server closes."""
    received = b""
    while piece := connection.recv(65536):
        received += piece
    return received


@pytest.mark.parametrize("places", [{}, {"GATEWAY_MAX_RECEIVING": 8, "M1_MAX_RECEIVING": 4}], ids=["as is", "few"])
def test_idle_connections_keep_nobody_out(tmp_path: Path, places: dict[str, int]):
    """While 150 clients have begun and send nothing, for longer than anybody waits, others are served all the same."""
    with (
        running(tmp_path / "gallery", GATEWAY_STALL_TIMEOUT_S=600, M1_STALL_TIMEOUT_S=600, **places) as client,
        ExitStack() as idle,
    ):
        begun = [
            idle.enter_context(connect(client, [*BEGINNINGS.values()][at % len(BEGINNINGS)])) for at in range(IDLE)
        ]
        # Where places are few, what has only just fallen silent still has its own for a second.
        for _ in range(2000):
            answers = match(client), add(client, encode(draw_place(5)))
            if not any(answer.status_code == 503 for answer in answers):
                break

        assert len(begun) == IDLE
        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[0].json()["candidates"]


@pytest.fixture(scope="module")
def endings(product: httpx.Client) -> dict[str, bytes]:
    """What is answered to clients that begin and send no more, until their connections end."""
    with ExitStack() as stack:
        stalled = {name: stack.enter_context(connect(product, beginning)) for name, beginning in BEGINNINGS.items()}
        return {name: read_to_the_end(connection) for name, connection in stalled.items()}


@pytest.mark.parametrize("name", BEGINNINGS)
def test_a_stalled_request_is_ended(endings: dict[str, bytes], name: str):
    """Whoever stops sending is told so in the one error shape, and the connection ends; silence gets no answer."""
    answer = endings[name]

    if name == "nothing":
        assert answer == b""
        return
    told, _, body = answer.partition(b"\r\n\r\n")
    assert told.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in told.lower()
    error = json.loads(body)["error"]
    assert error["code"] == "upload_too_slow"
    assert error["accepted"]


def test_a_trickle_is_ended(product: httpx.Client):
    """Whoever keeps sending, but next to nothing, is ended as well, although never silent for long."""
    with connect(product, BEGINNINGS["half a photo"]) as connection:
        connection.settimeout(STALL_S / 10)
        answer = b""
        for _ in range(200):
            try:
                answer = connection.recv(65536)
                break
            except TimeoutError:
                connection.sendall(b"x")

    assert answer.startswith(b"HTTP/1.1 408 ")


def test_an_answer_that_nobody_reads_is_given_up(product: httpx.Client):
    """Whoever asks for a large photo and does not read it loses the connection."""
    noise = Image.effect_noise((3000, 3000), 100)
    added = add(product, encode(noise, "png")).json()["results"][0]["image"]
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((product.base_url.host, product.base_url.port))
        connection.sendall(f"GET {added['file_url']} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        waiting = select.poll()
        waiting.register(connection, 0)  # errors and hang-ups only
        assert waiting.poll(30_000)
        assert match(product).status_code == 200


def test_what_is_no_http_is_refused_like_everything(product: httpx.Client):
    """Broken requests, and heads that do not end, get the one error shape too."""
    answers = []
    for beginning in (b"\x16\x03\x01 this is not HTTP\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000):
        with connect(product, beginning) as connection:
            answers.append(read_to_the_end(connection).partition(b"\r\n\r\n"))

    assert [told[:12] for told, _, _ in answers] == [b"HTTP/1.1 400", b"HTTP/1.1 431"]
    assert [json.loads(body)["error"]["code"] for _, _, body in answers] == ["invalid_request"] * 2


def test_an_upload_of_many_photos_runs_out_of_no_files(tmp_path: Path):
    """Hundreds of photos in one form arrive whatever number of open files the shell usually allows."""
    photos = [encode(draw_place(seed, (64, 48))) + bytes(70_000) for seed in range(3)]
    files = [("file", (f"{number}.jpg", photos[number % 3])) for number in range(300)]
    with running(tmp_path / "gallery", open_files=256) as client:
        reply = client.post("/index/images", files=files).json()

    assert (reply["added"], reply["duplicates"], reply["rejected"]) == (3, 297, 0)


def test_an_archive_that_lacks_a_photo_breaks_off(tmp_path: Path):
    """The client sees that it is not whole, also where all services are one process."""
    with running(tmp_path / "gallery") as client:
        whole = client.get("/index/archive").content
        (photo,) = (path for path in (tmp_path / "gallery" / "originals").rglob("*.*") if path.is_file())
        photo.unlink()
        with pytest.raises(httpx.RemoteProtocolError):
            client.get("/index/archive")

    assert whole.startswith(b"PK")
