"""A service that vanishes without a reset, or freezes, keeps nobody waiting: real processes; a link is taken away."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Event

import httpx
import pytest
from fakes.images import draw_place, encode, see_again
from servers.ports import free_port
from servers.vanishing import Island, why_not

ROOT = Path(__file__).parents[2]
TRIES, BETWEEN_S = 480, 0.5
SERVICE_KEY = "a service key for the tests"
LONGEST_MATCH_S = 8.0
"""More than the default, which a busy machine's own work takes; the services are noticed as gone in the same time."""

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        why_not() is not None, reason=f"vanishing services are NOT tried: {why_not() or 'they can be tried here'}"
    ),
]


@dataclass
class Product:
    """A gateway on this machine, and both services elsewhere."""

    http: httpx.Client
    islands: dict[str, Island]
    processes: dict[str, subprocess.Popen[bytes]]

    def match(self) -> tuple[httpx.Response, float]:
        """Ask about a photo; the answer, and how many seconds it took."""
        photo = encode(see_again(draw_place(1), seed=3).image)
        began_s = time.monotonic()
        answer = self.http.post("/match", files={"file": ("q.jpg", photo)})
        return answer, time.monotonic() - began_s

    def silence(self, service: str, how: str) -> None:
        """Let a service vanish from the network, or freeze: its kernel goes on to acknowledge what is sent to it."""
        if how == "vanishes":
            self.islands[service].vanish()
        else:
            self.processes[service].send_signal(signal.SIGSTOP)

    def bring_back(self, service: str) -> None:
        """Undo it."""
        self.processes[service].send_signal(signal.SIGCONT)
        self.islands[service].join()

    def matches_at_work(self) -> int:
        """How many the gateway counts."""
        return self.http.get("/health/ready").json()["details"]["matches_at_work"]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """With the embedded models and one place; every process in a session of its own, ended at the end."""
    folder = tmp_path_factory.mktemp("vanishing")
    ports = {name: free_port() for name in ("retrieval", "verifier", "gateway")}
    with ExitStack() as stack:
        islands = {name: stack.enter_context(Island()) for name in ("retrieval", "verifier")}
        urls = {name: f"http://{island.address}:{ports[name]}" for name, island in islands.items()}
        environment = {
            **os.environ,
            "M1_HOST": islands["retrieval"].address,
            "M1_PORT": str(ports["retrieval"]),
            "M1_DATA_DIR": str(folder / "gallery"),
            "M1_SERVICE_KEY": SERVICE_KEY,
            "M1_TIME_BUDGET_S": "0",
            "M3_HOST": islands["verifier"].address,
            "M3_PORT": str(ports["verifier"]),
            "M3_DATA_DIR": str(folder / "gallery"),
            "M3_SERVICE_KEY": SERVICE_KEY,
            "GATEWAY_PORT": str(ports["gateway"]),
            "GATEWAY_RETRIEVAL_URL": urls["retrieval"],
            "GATEWAY_VERIFIER_URL": urls["verifier"],
            "GATEWAY_SERVICE_KEY": SERVICE_KEY,
            "GATEWAY_LONGEST_MATCH_S": str(LONGEST_MATCH_S),
            "GATEWAY_VERIFIER_FAILURES": "1000",  # the breaker, which is tried elsewhere, would hide the wait
        }
        log = stack.enter_context((folder / "log").open("wb"))
        http = stack.enter_context(
            httpx.Client(base_url=f"http://127.0.0.1:{ports['gateway']}", timeout=120, trust_env=False)
        )
        commands = {name: island.command(sys.executable, "-m", f"services.{name}") for name, island in islands.items()}
        commands["gateway"] = [sys.executable, "-m", "gateway"]
        processes = {}
        for name, command in commands.items():
            processes[name] = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
            stack.callback(processes[name].wait, timeout=60)
            stack.callback(processes[name].terminate)
            stack.callback(processes[name].send_signal, signal.SIGCONT)
        if not become_ready(http):
            pytest.fail(f"the processes did not become ready:\n{(folder / 'log').read_text()[-4000:]}")
        added = http.post("/index/images", files={"file": ("1.jpg", encode(draw_place(1)))}, data={"place_id": "one"})
        assert added.json()["added"] == 1, added.text
        yield Product(http, islands, processes)


def become_ready(http: httpx.Client) -> bool:
    """Whether both services are, after a while."""
    for _ in range(TRIES):
        try:
            parts = http.get("/health/ready").json()["parts"]
            if all(part["ready"] for part in parts.values()):
                return True
        except httpx.TransportError:
            pass
        time.sleep(BETWEEN_S)
    return False


@pytest.mark.parametrize("how", ["vanishes", "freezes"])
@pytest.mark.parametrize(
    ("service", "status", "shown"),
    [("verifier", 200, '"verification":"unavailable"'), ("retrieval", 503, '"code":"retrieval_unavailable"')],
)
def test_no_match_outlasts_its_time_when_a_service_is_silent(
    product: Product, service: str, status: int, shown: str, how: str
):
    """Neither those at work at that moment, nor those that come after it; all give their place back, and it recovers.

    The first of them to come hold connections that were in use a moment ago, the others make new ones.
    """
    answered: SimpleQueue[tuple[httpx.Response, float]] = SimpleQueue()
    is_silent = Event()

    def keep_asking() -> None:
        while not is_silent.is_set():
            answered.put(product.match())
        for _ in range(2):
            answered.put(product.match())

    with ThreadPoolExecutor(2) as visitors:
        asking = [visitors.submit(keep_asking) for _ in range(2)]
        try:
            before = [answered.get(timeout=60) for _ in range(2)]
            product.silence(service, how)
        finally:
            is_silent.set()
        for future in asking:
            future.result(timeout=120)
    after = [answered.get() for _ in range(answered.qsize())]
    at_work = product.matches_at_work()
    product.bring_back(service)
    recovered = become_ready(product.http)
    again, _ = product.match()

    assert {answer.json()["verification"] for answer, _ in before} == {"done"}
    assert max(took_s for _, took_s in after) < LONGEST_MATCH_S + 1
    last = after[-1][0]
    assert (last.status_code, shown in last.text) == (status, True), last.text
    assert at_work == 0
    assert recovered
    assert (again.status_code, again.json()["verification"]) == (200, "done")
