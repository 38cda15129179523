"""Start and stop the product in the background: what ``make up`` and ``make down`` call."""

import argparse
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError

from pydantic import ValidationError

from contracts.health import ReadyBody
from core.runtime.memory import MALLOC_ENVIRONMENT
from gateway.settings import GatewaySettings
from serving.auth.exposure import address_to_open
from serving.probe import ask
from serving.settings import read_settings

_RUN_FOLDER = Path(".run")
_START_TIMEOUT_S = 180.0
_STOP_TIMEOUT_S = 40.0
_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Background:
    """The files of a product that was started in the background.

    Attributes:
        folder: holds them.
    """

    folder: Path

    @property
    def log(self) -> Path:
        """The product's log."""
        return self.folder / "standalone.log"

    @property
    def state(self) -> Path:
        """Process id and address, as JSON."""
        return self.folder / "standalone.json"

    def running(self) -> tuple[int, str] | None:
        """Process id and address of the running product, or None."""
        try:
            known = json.loads(self.state.read_text())
            pid, url = int(known["pid"]), str(known["url"])
        except (FileNotFoundError, ValueError, KeyError):
            return None
        return (pid, url) if _is_ours(pid) else None

    def start(self, settings: GatewaySettings) -> int:
        """Start the product unless it runs, and wait until it is ready.

        Returns:
            An exit status: 0 when it is ready.
        """
        running = self.running()
        if running is not None:
            print(f"semantic-image-matcher is already running: {running[1]}  (`make down` stops it)")
            return 0
        taken = _why_taken(settings.host, settings.port)
        if taken is not None:
            print(f"it did not start: {taken}", file=sys.stderr)
            return 1
        self.folder.mkdir(exist_ok=True)
        url = address_to_open(settings.host, settings.port)
        print(f"starting; the log is {self.log}")
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "standalone"], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                start_new_session=True, env={**MALLOC_ENVIRONMENT, **os.environ},
            )  # fmt: skip
        self.state.write_text(json.dumps({"pid": process.pid, "url": url}))
        failure = wait_until_ready(process, url)
        if failure is None:
            print(f"semantic-image-matcher is ready: {url}  (API: {url}/docs)")
            return 0
        self.stop()
        print(f"it did not start: {failure}", file=sys.stderr)
        print("".join(self.log.read_text(errors="replace").splitlines(keepends=True)[-15:]), file=sys.stderr)
        return 1

    def stop(self) -> int:
        """Stop the product and wait until it has ended; requests in flight are finished first.

        Returns:
            An exit status: 0 when it does not run any more.
        """
        running = self.running()
        if running is None:
            print("semantic-image-matcher is not running")
            self.state.unlink(missing_ok=True)
            return 0
        pid, _ = running
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_TIMEOUT_S
        while _is_ours(pid):
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
                deadline += _STOP_TIMEOUT_S
            time.sleep(_POLL_S)
        self.state.unlink(missing_ok=True)
        print("semantic-image-matcher has stopped")
        return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command."""
    parser = argparse.ArgumentParser(prog="python -m standalone.background", description=__doc__)
    parser.add_argument("command", choices=["start", "stop"])
    command = parser.parse_args(arguments).command
    background = Background(_RUN_FOLDER)
    return background.start(read_settings(GatewaySettings)) if command == "start" else background.stop()


def wait_until_ready(process: "subprocess.Popen[bytes]", url: str) -> str | None:
    """Wait until the product is ready or has ended. Return why it is not ready; None if it is."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    reason = "no answer"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            return f"the process ended with status {process.returncode}"
        try:
            body = _readiness(url)
        except (ValidationError, HTTPException):
            return f"{url} is used by another program; free it or set another GATEWAY_PORT"
        if body is not None:
            if body.ready and all(part.ready for part in body.parts.values()):
                return None
            reason = str(body.reason)
            if "being loaded" not in reason:
                return reason
        time.sleep(_POLL_S)
    return f"not ready after {_START_TIMEOUT_S:.0f} s: {reason}"


def _readiness(url: str) -> ReadyBody | None:
    """Read the product's readiness; None while nothing answers.

    Raises:
        ValidationError: the answer is not the product's.
        HTTPException: the answer is not HTTP.
    """
    try:
        try:
            with ask(f"{url}/health/ready") as answer:
                body = answer.read()
        except HTTPError as error:  # 503 has the reason in its body
            with error:
                body = error.read()
    except OSError:
        return None
    return ReadyBody.model_validate_json(body)


def _why_taken(host: str, port: int) -> str | None:
    """Tell whether another program listens on the port; None if not. The product itself reports other errors."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return (
                    f"port {port} of {host} is used by another program ({error.strerror}); "
                    "free it or set another GATEWAY_PORT"
                )
    return None


def _is_ours(pid: int) -> bool:
    """Tell whether ``pid`` is a running product, and not another process that has got the same number."""
    if Path("/proc/self").exists():  # Linux; small containers have no ps
        try:
            # A zombie process has an empty command line.
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return False
    else:
        shown = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
        command = shown.stdout
    return "-m standalone" in command


if __name__ == "__main__":
    sys.exit(main())
