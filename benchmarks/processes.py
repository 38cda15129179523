"""Runs the product as three processes of this machine, and samples their memory, files and threads."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

_MODULES = {"retrieval": "services.retrieval", "verifier": "services.verifier", "gateway": "gateway"}
_START_S = 300


@dataclass(frozen=True, slots=True)
class Sample:
    """One process at one time: resident memory in MB, open files (including sockets), threads."""

    at_s: float
    process: str
    rss_mb: float
    files: int
    threads: int


@dataclass(frozen=True, slots=True)
class Product:
    """The running processes by name, the gateway's address, and their common log file."""

    processes: dict[str, subprocess.Popen[bytes]]
    address: str
    log: Path

    def sample(self, at_s: float) -> list[Sample]:
        """Sample every process.

        Raises:
            RuntimeError: a process has ended.
        """
        samples = []
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended with status {process.returncode}:\n{self.log.read_text()[-4000:]}")
            folder = Path(f"/proc/{process.pid}")
            status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
            rss_mb = int(status["VmRSS"].split()[0]) / 1024
            samples.append(
                Sample(at_s, name, rss_mb, sum(1 for _ in (folder / "fd").iterdir()), int(status["Threads"]))
            )
        return samples


@contextmanager
def running_product(folder: Path, first_port: int) -> Iterator[Product]:
    """Start the three processes, wait until they are ready, and end them at the end of the block.

    Args:
        folder: for the gallery and the log.
        first_port: the gateway's; the next two are the services'.
    """
    address = f"http://127.0.0.1:{first_port}"
    environment = {
        **os.environ,
        "GATEWAY_PORT": str(first_port),
        "M1_PORT": str(first_port + 1),
        "M1_VERIFIER_URL": f"http://127.0.0.1:{first_port + 2}",
        "M3_PORT": str(first_port + 2),
        "GATEWAY_RETRIEVAL_URL": f"http://127.0.0.1:{first_port + 1}",
        "GATEWAY_VERIFIER_URL": f"http://127.0.0.1:{first_port + 2}",
        "GATEWAY_ANONYMOUS_RATE_PER_MINUTE": "0",
        "M1_DATA_DIR": str(folder / "gallery"),
        "M3_DATA_DIR": str(folder / "gallery"),
    }
    log = folder / "log"
    with log.open("wb") as output:
        processes = {
            name: subprocess.Popen([sys.executable, "-m", module], env=environment, stdout=output, stderr=output)
            for name, module in _MODULES.items()
        }
        try:
            product = Product(processes, address, log)
            _wait_until_ready(product)
            yield product
        finally:
            for process in processes.values():
                process.terminate()
            for process in processes.values():
                process.wait(timeout=60)


def _wait_until_ready(product: Product) -> None:
    until_s = time.monotonic() + _START_S
    while time.monotonic() < until_s:
        product.sample(0)
        with suppress(httpx.TransportError):
            if httpx.get(f"{product.address}/health/ready", trust_env=False).status_code == 200:
                return
        time.sleep(0.5)
    raise RuntimeError(f"not ready after {_START_S} s:\n{product.log.read_text()[-4000:]}")


def free_port() -> int:
    """Return a free port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
