"""Runs the product as one or three processes of this machine, and samples their memory, files, threads and work."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from core.runtime.memory import MALLOC_ENVIRONMENT

_MODULES = {
    "one": {"standalone": "standalone"},
    "three": {"retrieval": "services.retrieval", "verifier": "services.verifier", "gateway": "gateway"},
}
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
            status = _status(process)
            rss_mb = _mb(status["VmRSS"])
            samples.append(
                Sample(at_s, name, rss_mb, sum(1 for _ in (folder / "fd").iterdir()), int(status["Threads"]))
            )
        return samples

    def most_mb(self) -> float:
        """Return the most resident memory that the processes had since they started, in MB."""
        return sum(_mb(_status(process)["VmHWM"]) for process in self.processes.values())

    def cpu_s(self) -> float:
        """Return the seconds of work of all processes so far."""
        ticks = 0
        for process in self.processes.values():
            fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])  # in user mode, and in the kernel for it
        return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def running_product(folder: Path, kind: str = "three", ports: Sequence[int] | None = None) -> Iterator[Product]:
    """Start the product, wait until all of it is ready, and end it at the end of the block.

    Args:
        folder: for the gallery and the log.
        kind: ``one`` process or ``three``.
        ports: of the gateway and of the two services; None takes free ones.
    """
    gateway, retrieval, verifier = ports or [free_port() for _ in range(3)]
    address = f"http://127.0.0.1:{gateway}"
    environment = {
        **MALLOC_ENVIRONMENT,
        **os.environ,
        "GATEWAY_PORT": str(gateway),
        "M1_PORT": str(retrieval),
        "M1_VERIFIER_URL": f"http://127.0.0.1:{verifier}",
        "M3_PORT": str(verifier),
        "GATEWAY_RETRIEVAL_URL": f"http://127.0.0.1:{retrieval}",
        "GATEWAY_VERIFIER_URL": f"http://127.0.0.1:{verifier}",
        "GATEWAY_ANONYMOUS_RATE_PER_MINUTE": "0",
        "M1_DATA_DIR": str(folder / "gallery"),
        "M3_DATA_DIR": str(folder / "gallery"),
    }
    log = folder / "log"
    with log.open("wb") as output:
        processes = {
            name: subprocess.Popen([sys.executable, "-m", module], env=environment, stdout=output, stderr=output)
            for name, module in _MODULES[kind].items()
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
            reply = httpx.get(f"{product.address}/health/ready", trust_env=False)
            parts = reply.json()["parts"]
            if reply.status_code == 200 and parts and all(part["ready"] for part in parts.values()):
                return
        time.sleep(0.5)
    raise RuntimeError(f"not ready after {_START_S} s:\n{product.log.read_text()[-4000:]}")


def _status(process: "subprocess.Popen[bytes]") -> dict[str, str]:
    """The kernel's account of a process, by field."""
    return dict(line.split(":", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines())


def _mb(kilobytes: str) -> float:
    return int(kilobytes.split()[0]) / 1024


def free_port() -> int:
    """Return a free port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
