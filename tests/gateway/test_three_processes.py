"""The product as three real processes with the real embedded models, over real sockets."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from bad_photos import GOOD_PHOTO
from fakes.images import draw_place, encode, see_again

ROOT = Path(__file__).parents[2]
TRIES, BETWEEN_S = 240, 0.5


@dataclass
class Processes:
    """The three, a client of the gateway, and what all of them log."""

    retrieval: subprocess.Popen[bytes]
    verifier: subprocess.Popen[bytes]
    gateway: subprocess.Popen[bytes]
    http: httpx.Client
    log: Path

    def match(self, photo: bytes, **fields: str) -> httpx.Response:
        """Ask about a photo."""
        return self.http.post("/match", files={"file": ("q.jpg", photo)}, data=fields)


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    """Started side by side, each with settings from its environment; ended with SIGTERM."""
    folder = tmp_path_factory.mktemp("three")
    m1, m3, door = (_free_port() for _ in range(3))
    environment = {
        **os.environ,
        "M1_PORT": str(m1),
        "M1_DATA_DIR": str(folder / "gallery"),
        "M1_VERIFIER_URL": f"http://127.0.0.1:{m3}",
        "M3_PORT": str(m3),
        "M3_DATA_DIR": str(folder / "gallery"),
        "GATEWAY_PORT": str(door),
        "GATEWAY_RETRIEVAL_URL": f"http://127.0.0.1:{m1}",
        "GATEWAY_VERIFIER_URL": f"http://127.0.0.1:{m3}",
    }
    log = folder / "log"
    with log.open("wb") as output, httpx.Client(base_url=f"http://127.0.0.1:{door}", timeout=120) as http:
        started = [
            subprocess.Popen([sys.executable, "-m", name], cwd=ROOT, env=environment, stdout=output, stderr=output)
            for name in ("services.retrieval", "services.verifier", "gateway")
        ]
        try:
            if not _become_ready(http, started):
                pytest.fail(f"the processes did not become ready:\n{log.read_text()[-4000:]}")
            yield Processes(*started, http, log)
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.wait(timeout=60)


def test_a_photo_goes_through_three_processes(processes: Processes):
    """Photos added at the gateway are found and verified by another view, with both services' work in the answer."""
    for seed in (1, 2, 3):
        added = processes.http.post(
            "/index/images",
            files={"file": (f"{seed}.jpg", encode(draw_place(seed)))},
            data={"place_id": f"place-{seed}"},
        )
        assert added.json()["added"] == 1

    answer = processes.match(encode(see_again(draw_place(2), seed=3).image), explain="true").json()

    assert (answer["matched"], answer["place"]["id"], answer["verification"]) == (True, "place-2", "done")
    assert answer["candidates"][0]["verdict"]["correspondences"]["query_points"]
    assert {"retrieval_encode", "verification_verify", "gateway"} <= set(answer["timings_ms"])
    preview = processes.http.get(answer["candidates"][0]["preview_url"])
    assert preview.headers["content-type"] == "image/jpeg"


def test_nothing_known_is_an_honest_no(processes: Processes):
    """A photo of no place in the gallery is not matched by the real models."""
    answer = processes.match(encode(draw_place(99))).json()

    assert (answer["matched"], answer["place"]) == (False, None)


def test_a_giant_is_refused_over_a_socket(processes: Processes):
    """Too much is refused with a proper answer: sent in full to /match, or announced and begun to the gallery."""
    form = {"Content-Type": "multipart/form-data; boundary=x"}

    sent = processes.http.post("/match", content=bytes(40 * 1024**2), headers=form)
    address = (processes.http.base_url.host, processes.http.base_url.port)
    with socket.create_connection(address, timeout=60) as connection:
        announcement = [
            "POST /index/images HTTP/1.1",
            "Host: localhost",
            f"Content-Type: {form['Content-Type']}",
            f"Content-Length: {5 * 1024**3}",
        ]
        connection.sendall("\r\n".join([*announcement, "", "--x"]).encode())
        status_line = connection.recv(64)

    assert (sent.status_code, sent.json()["error"]["code"]) == (413, "image_too_large")
    assert b" 413 " in status_line


def test_an_upload_that_breaks_off_is_no_error(processes: Processes):
    """When the uploader's connection is gone, both processes note that and nobody is alarmed."""
    before = len(processes.log.read_text())
    address = (processes.http.base_url.host, processes.http.base_url.port)
    with socket.create_connection(address, timeout=60) as connection:
        head = ["POST /index/images HTTP/1.1", "Host: localhost", "Content-Type: multipart/form-data; boundary=x"]
        connection.sendall("\r\n".join([*head, "Content-Length: 1000000", "", "--x\r\n"]).encode())
        connection.sendall(b'Content-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n' + bytes(100_000))
    for _ in range(20 * TRIES):
        processes.http.get("/health/live")
        logged = processes.log.read_text()[before:]
        if logged.count("POST /index/images 0 ") == 2:
            break

    assert logged.count("the caller disconnected") == 2
    assert not re.search("WARNING|ERROR|Traceback", logged)


def test_a_visitor_who_hangs_up_is_given_up_by_every_process(processes: Processes):
    """When a visitor's connection is gone the gateway lets go of the service at work, which stops as well."""
    processes.http.post("/index/images", files={"file": ("97.jpg", encode(draw_place(97)))}).raise_for_status()
    before = len(processes.log.read_text())
    head = '--x\r\nContent-Disposition: form-data; name="file"; filename="q.jpg"\r\n\r\n'
    body = head.encode() + encode(draw_place(98)) + b"\r\n--x--\r\n"
    address = (processes.http.base_url.host, processes.http.base_url.port)
    with socket.create_connection(address, timeout=60) as connection:
        lines = ["POST /match HTTP/1.1", "Host: localhost", "Content-Type: multipart/form-data; boundary=x"]
        connection.sendall("\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body)
    for _ in range(20 * TRIES):
        processes.http.get("/health/live")
        logged = processes.log.read_text()[before:]
        if "POST /match 0 " in logged and re.search("POST /(search|verify) 0 ", logged):
            break

    assert logged.count("the caller disconnected") == 2
    assert not re.search("WARNING|ERROR|Traceback", logged)


def test_without_the_verifier_the_answer_is_retrievals(processes: Processes):
    """When the verifier's process is gone the visitor still gets an answer, marked as unverified."""
    processes.verifier.terminate()
    processes.verifier.wait(timeout=60)

    answer = processes.match(encode(see_again(draw_place(2), seed=3).image))

    assert (answer.status_code, answer.json()["verification"]) == (200, "unavailable")
    assert answer.json()["candidates"][0]["place"]["id"] == "place-2"


def test_without_retrieval_there_is_no_answer(processes: Processes):
    """When the retrieval process is gone the gateway says so, at once and in the one error shape."""
    processes.retrieval.terminate()
    processes.retrieval.wait(timeout=60)

    answer = processes.match(GOOD_PHOTO)

    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "retrieval_unavailable")


def _become_ready(http: httpx.Client, started: list[subprocess.Popen[bytes]]) -> bool:
    for _ in range(TRIES):
        try:
            parts = http.get("/health/ready").json()["parts"]
            if all(part["ready"] for part in parts.values()):
                return True
        except httpx.TransportError:  # the gateway is not listening yet
            pass
        try:
            started[0].wait(timeout=BETWEEN_S)
            return False
        except subprocess.TimeoutExpired:
            continue
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
