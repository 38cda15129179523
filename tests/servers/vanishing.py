"""A network of its own for one process, whose link to this machine can be taken away: silence, and no reset."""

import os
import shutil
import subprocess
from itertools import count
from types import TracebackType
from typing import Self

_NUMBERS = count(1)


def why_not() -> str | None:
    """Why there can be none here, or None."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return "network namespaces need root and the command ip"
    name = f"try-{os.getpid()}"
    tried = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if tried.returncode:
        return f"a network namespace cannot be made: {tried.stderr.strip()}"
    subprocess.run(["ip", "netns", "del", name], check=True)
    return None


class Island:
    """A network namespace joined to this machine by one link.

    Attributes:
        address: of whatever listens in it.
    """

    def __init__(self) -> None:
        number = next(_NUMBERS)
        self._name = f"island-{os.getpid()}-{number}"
        self._here = f"is{os.getpid() % 100_000}-{number}h"
        self._there = f"is{os.getpid() % 100_000}-{number}t"
        net = f"10.{219 + number}.{os.getpid() % 250}"
        self.address = f"{net}.2"
        self._own_address = f"{net}.1"

    def __enter__(self) -> Self:
        _ip("netns", "add", self._name)
        _ip("link", "add", self._here, "type", "veth", "peer", "name", self._there, "netns", self._name)
        _ip("addr", "add", f"{self._own_address}/30", "dev", self._here)
        _ip("link", "set", self._here, "up")
        _ip("-n", self._name, "addr", "add", f"{self.address}/30", "dev", self._there)
        _ip("-n", self._name, "link", "set", "lo", "up")
        self.join()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _ip("link", "del", self._here)
        _ip("netns", "del", self._name)

    def command(self, *command: str) -> list[str]:
        """A command, to be run there."""
        return ["ip", "netns", "exec", self._name, *command]

    def vanish(self) -> None:
        """Take the link away: what is sent there is lost, and nothing comes back."""
        _ip("-n", self._name, "link", "set", self._there, "down")

    def join(self) -> None:
        """Put the link back."""
        _ip("-n", self._name, "link", "set", self._there, "up")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
