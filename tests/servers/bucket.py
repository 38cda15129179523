"""A real S3 server for the tests, over HTTP: the one of the package ``moto``, which keeps everything in memory."""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from typing import Self
from urllib.request import Request, urlopen

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

    def keys(self) -> list[str]:
        """All objects of the bucket."""
        listing = ElementTree.fromstring(self._ask("GET", "photos?list-type=2"))
        return sorted(key.text for key in listing.iter("{http://s3.amazonaws.com/doc/2006-03-01/}Key"))

    def put(self, key: str, data: bytes) -> None:
        """Write an object, whatever was there."""
        self._ask("PUT", f"photos/{key}", data)

    def get(self, key: str) -> bytes:
        """Read an object."""
        return self._ask("GET", f"photos/{key}")

    def delete(self, key: str) -> None:
        """Delete an object."""
        self._ask("DELETE", f"photos/{key}")

    def _ask(self, method: str, path: str, data: bytes | None = None) -> bytes:
        with urlopen(Request(f"{self.endpoint}/{path}", data, method=method), timeout=30) as answer:
            return answer.read()
