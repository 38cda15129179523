"""The product in containers, as an operator has it: a folder with the compose files and .env, and `docker compose`."""

import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from fakes.images import draw_place, encode, see_again

REPOSITORY = Path(__file__).parents[2]
STATE = Path(os.environ["CONTAINERS"])
CPU = "docker-compose.yml:docker-compose.cpu.yml"
MADE = [encode(draw_place(seed)) for seed in range(4)]
SEEN = [encode(see_again(draw_place(seed), seed + 50).image) for seed in range(4)]
NOTHING = encode(see_again(draw_place(77), 1).image)


def run(*command: str, timeout: float = 400, check: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command, bounded; where it fails, the error shows what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL, **options)
    if check and done.returncode:
        raise AssertionError(
            f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        )
    return done


@dataclass
class Product:
    """One deployment.

    Attributes:
        folder: with compose files and .env.
        name: of the Compose project.
        files: what COMPOSE_FILE says, of the shipped files.
        local: further files, of this machine's engine.
        settings: what .env says besides.
        port: on which it is published.
    """

    folder: Path
    name: str
    files: str
    local: tuple[str, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)
    port: int = 8017

    def __post_init__(self) -> None:
        """Copy what an operator checks out."""
        self.folder.mkdir(parents=True, exist_ok=True)
        listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=REPOSITORY).stdout.split("\n")
        for name in filter(None, listed):
            if not name.startswith(("tests/", "docs/", "benchmarks/")) and (REPOSITORY / name).is_file():
                target = self.folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(REPOSITORY / name, target)
        self.configure()

    def configure(self, **settings: str) -> None:
        """Write .env."""
        files = ":".join([*self.files.split(":"), *(str(STATE / folder) for folder in self.local)])
        lines = {"COMPOSE_FILE": files, "COMPOSE_PROJECT_NAME": self.name, "PUBLIC_PORT": str(self.port)}
        text = "".join(f"{name}={value}\n" for name, value in (lines | self.settings | settings).items())
        (self.folder / ".env").write_text(text)

    def compose(self, *arguments: str, timeout: float = 400, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run docker compose there; the environment says nothing that .env does not."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("M1_", "M3_", "GATEWAY_"))}
        return run("docker", "compose", *arguments, timeout=timeout, check=check, cwd=self.folder, env=kept)

    def up(self, *arguments: str, timeout: float = 400) -> None:
        """Start it and wait until it is healthy."""
        try:
            self.compose("up", "--detach", "--wait", "--no-build", *arguments, timeout=timeout)
        except (AssertionError, subprocess.TimeoutExpired) as exc:
            raise AssertionError(f"{exc}\n{self.logs()[-4000:]}") from exc

    def down(self, *arguments: str) -> None:
        """Stop it."""
        self.compose("down", *arguments)

    def logs(self, *services: str) -> str:
        """What the services have logged."""
        return self.compose("logs", "--no-color", *services, check=False).stdout

    def container(self, service: str) -> str:
        """The name of a service's container."""
        return f"{self.name}-{service}-1"

    def inspect(self, service: str, template: str) -> str:
        """What the engine says of a container."""
        return run("docker", "inspect", "--format", template, self.container(service)).stdout.strip()

    def unplug(self, service: str) -> None:
        """Pull a container's cables: it runs on under its name, and nothing reaches it or comes from it."""
        network = ("nsenter", "--net", "--target", self.inspect(service, "{{.State.Pid}}"))
        for link in json.loads(run(*network, "ip", "-json", "link").stdout):
            if link["ifname"] != "lo":
                run(*network, "ip", "link", "set", link["ifname"], "down")

    def ask(self, method: str, path: str, *, timeout: float = 60, **options: Any) -> httpx.Response:
        """Ask the gateway, on a connection of its own."""
        return httpx.request(method, f"http://127.0.0.1:{self.port}{path}", timeout=timeout, **options)

    def add(self, place: int, **options: Any) -> dict[str, Any]:
        """Add the photo of a place."""
        files = {"files": (f"{place}.jpg", MADE[place])}
        answer = self.ask("POST", "/index/images", files=files, data={"place_id": f"place-{place}"}, **options)
        assert answer.status_code == 200, answer.text
        reply: dict[str, Any] = answer.json()
        return reply

    def match(self, place: int, **options: Any) -> dict[str, Any]:
        """Ask what a new photo of a place shows."""
        answer = self.ask("POST", "/match", files={"file": ("q.jpg", SEEN[place])}, **options)
        assert answer.status_code == 200, answer.text
        reply: dict[str, Any] = answer.json()
        return reply

    def wait_for(self, what: str, condition: Any, *, within: float = 240) -> None:
        """Ask until a condition holds."""
        end = time.monotonic() + within
        while not condition():
            assert time.monotonic() < end, f"{what}: not within {within:.0f} s\n{self.logs()[-3000:]}"
            time.sleep(0.5)

    def is_verified(self, place: int = 0) -> bool:
        """Whether a match is answered and verified, and rightly."""
        try:
            reply = self.match(place)
        except (AssertionError, httpx.HTTPError):
            return False
        return (reply["place"] or {}).get("id") == f"place-{place}" and reply["verification"] == "done"


def shown(reply: dict[str, Any]) -> str | None:
    """The place of an answer."""
    return (reply["place"] or {}).get("id")


def parse_events(text: str) -> list[tuple[str, Any]]:
    """Names and data of server-sent events."""
    blocks = [block.splitlines() for block in text.split("\n\n") if "event:" in block]
    return [
        (block[0].partition(": ")[2], json.loads("".join(line.partition(": ")[2] for line in block[1:])))
        for block in blocks
    ]
