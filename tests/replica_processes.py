"""Processes of the product that share one truth, as tests start, ask and kill them."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).parents[1]
SERVICE_KEY = "a service key for the tests"
READY_WITHIN_S = 120


@dataclass
class Replicas:
    """The processes and clients of both gateways, which send the key of an admin.

    Attributes:
        a: client of the gateway that prefers the first retrieval service.
        b: likewise the second.
        key: of the admin.
        folder: where photos are.
        database_url: where everything else is.
    """

    a: httpx.Client
    b: httpx.Client
    key: str
    folder: Path
    database_url: str
    log: Path
    environments: dict[str, dict[str, str]] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, *names: str) -> None:
        """Start processes and wait until they are ready."""
        for name in names:
            with self.log.open("ab") as output:
                module = self.environments[name]["MODULE"]
                self.processes[name] = subprocess.Popen(
                    [sys.executable, "-m", module],
                    cwd=ROOT,
                    env={**os.environ, **self.environments[name]},
                    stdout=output,
                    stderr=output,
                )
        ends_at = time.monotonic() + READY_WITHIN_S
        for name in names:
            while not self._is_ready(name):
                if time.monotonic() > ends_at or self.processes[name].poll() is not None:
                    pytest.fail(f"{name} did not become ready:\n{self.log.read_text()[-4000:]}")
                with suppress(subprocess.TimeoutExpired):
                    self.processes[name].wait(0.1)

    def kill(self, name: str) -> None:
        """With SIGKILL."""
        self.processes[name].kill()
        self.processes[name].wait()

    def retrieval(self, name: str) -> httpx.Client:
        """A client of one retrieval service itself."""
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.environments[name]['M1_PORT']}",
            headers={"Authorization": f"Bearer {SERVICE_KEY}"},
            trust_env=False,
            timeout=60,
        )

    def _is_ready(self, name: str) -> bool:
        port = self.environments[name]["PORT"]
        with suppress(httpx.TransportError):
            return httpx.get(f"http://127.0.0.1:{port}/health/ready", trust_env=False, timeout=10).status_code == 200
        return False


def add(client: httpx.Client, photo: bytes, **fields: Any) -> str:
    """Add a photo; its id."""
    reply = client.post("/index/images", files={"file": ("photo.jpg", photo)}, data=fields)
    assert reply.status_code == 200, reply.text
    image_id: str = reply.json()["results"][0]["image"]["id"]
    return image_id
