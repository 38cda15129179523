"""A real S3 server for the tests, over HTTP: the one of the package ``moto``, which keeps everything in memory."""

import subprocess
import sys
from typing import Self
from urllib.request import Request, urlopen

import obstore
from obstore.store import S3Store
from servers.ports import free_port

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "us-east-1"}
"""Any will do; boto's own variables."""


class BucketServer:
    """A server as a process of its own, and its one bucket ``photos``. Stops with its ``with`` block."""

    def __init__(self) -> None:
        self.endpoint = f"http://127.0.0.1:{free_port()}"
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, empty, wait until it answers, and make the bucket."""
        port = self.endpoint.rpartition(":")[2]
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "moto.server", "--host", "127.0.0.1", "--port", port],
            stderr=subprocess.PIPE,
            text=True,
        )
        while "Running on" not in (line := self._process.stderr.readline()):
            if not line:
                raise RuntimeError("moto.server ended before it served")
        self._drain = subprocess.Popen(["cat"], stdin=self._process.stderr, stdout=subprocess.DEVNULL)
        self._process.stderr.close()
        self._ask("PUT", "photos")

    def kill(self) -> None:
        """Kill it with SIGKILL; what it kept is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._drain.wait()
            self._process = None

    def empty(self) -> None:
        """Let the bucket be as it was at the start."""
        if self._process is None:
            self.start()
        self._ask("POST", "moto-api/reset")
        self._ask("PUT", "photos")

    def objects(self) -> list[str]:
        """The keys of all photos in the bucket."""
        keys = (entry["path"] for page in obstore.list(self._store()) for entry in page)
        return sorted(key for key in keys if not key.endswith("gallery-id"))

    def put(self, key: str, data: bytes) -> None:
        """Write an object, whatever was there."""
        obstore.put(self._store(), key, data)

    def _store(self) -> S3Store:
        return S3Store(
            "photos",
            config={"endpoint": self.endpoint, **{name.lower(): value for name, value in CREDENTIALS.items()}},
            client_options={"allow_http": True},
        )

    def _ask(self, method: str, path: str) -> None:
        with urlopen(Request(f"{self.endpoint}/{path}", method=method), timeout=30) as answer:
            answer.read()
