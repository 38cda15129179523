"""Starts the real product and fills it over its public API."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

REPOSITORY = Path(__file__).parents[2]
START_S = 120
PUBLIC_NAME = "museum.test"
"""A name of the product that the tests' browser knows: visitors' phones do not reach it by its loopback address."""


@dataclass(frozen=True, slots=True)
class Product:
    """A running product.

    Attributes:
        address: where its page is.
        data: folder of its gallery.
    """

    address: str
    data: Path

    @property
    def public_address(self) -> str:
        """Where visitors' phones find it."""
        return self.address.replace("127.0.0.1", PUBLIC_NAME)

    def add(self, collection: str, place: str, photos: Sequence[tuple[str, bytes]], description: str = "") -> None:
        """Put photos (file name, bytes) of one place into a collection."""
        answer = httpx.post(
            f"{self.address}/index/images",
            data={"collection": collection, "place_id": place, "place_name": place, "description": description},
            files=[("file", photo) for photo in photos],
            timeout=60,
        )
        assert answer.json()["rejected"] == 0, answer.text


@contextmanager
def start_product(gallery: Path, **settings: str) -> Iterator[Product]:
    """Run ``python -m standalone`` on a free port with a gallery and settings of its own until the block ends."""
    port = _free_port()
    log = gallery / "product.log"
    environment = {
        "GATEWAY_PORT": str(port),
        "M1_DATA_DIR": str(gallery / "data"),
        **settings,
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "standalone"],
            cwd=REPOSITORY,
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_until_ready(address, process, log)
            yield Product(address, gallery / "data")
        finally:
            process.terminate()
            process.wait(timeout=30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the product stopped while starting:\n{log.read_text()[-4000:]}")
        try:
            if httpx.get(f"{address}/health/ready", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            pass  # not listening yet
        time.sleep(0.2)  # another process: there is nothing to wait on but its port
    raise RuntimeError(f"the product was not ready after {START_S} s:\n{log.read_text()[-4000:]}")
