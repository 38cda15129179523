"""Two of everything behind the balancer as it is shipped: whichever process is killed, visitors get their answers."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event

import httpx
import pytest
from fakes.images import draw_place, encode, see_again
from replica_processes import SERVICE_KEY, Replicas, add
from servers.nginx import balancing
from servers.ports import free_port
from servers.postgres import PostgresServer

from serving.auth.keys import create_key

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PLACES = 6
MATCHES_EACH = 8  # asked by each of two visitors while a process is dead


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer) -> Iterator[Replicas]:
    """Two gateways, retrieval services and verifiers, ready; both clients ask the balancer."""
    root = tmp_path_factory.mktemp("balanced")
    key = create_key(root / "keys.json", "director", "admin")
    ports = {f"{kind}-{letter}": free_port() for kind in ("gateway", "m1", "m3") for letter in "ab"}
    with ExitStack() as stack:
        listening = stack.enter_context(balancing(root, ports))
        client = stack.enter_context(
            httpx.Client(
                base_url=f"http://127.0.0.1:{listening[8080]}",
                headers={"Authorization": f"Bearer {key}"},
                trust_env=False,
                timeout=120,
            )
        )
        running = Replicas(client, client, key, root / "gallery", postgres.create_database(), root / "log")
        kept = {"DATA_DIR": str(running.folder), "DATABASE_URL": running.database_url, "SERVICE_KEY": SERVICE_KEY}
        for name, port in ports.items():
            kind = name.partition("-")[0]
            module = {"gateway": "gateway", "m1": "services.retrieval", "m3": "services.verifier"}[kind]
            own = {
                "GATEWAY_RETRIEVAL_URL": f"http://127.0.0.1:{listening[8001]}",
                "GATEWAY_VERIFIER_URL": f"http://127.0.0.1:{listening[8002]}",
                "GATEWAY_SERVICE_KEY": SERVICE_KEY,
                "GATEWAY_KEYS_FILE": str(root / "keys.json"),
                "GATEWAY_RATE_PER_MINUTE": "0",
                "GATEWAY_LONGEST_MATCH_S": "60",  # the machine may be busy; nobody is to be sent away
            }
            if kind != "gateway":
                own = {f"{kind.upper()}_{setting}": value for setting, value in kept.items()}
            if kind == "m1":
                own["M1_VERIFIER_URL"] = f"http://127.0.0.1:{listening[8002]}"
            running.environments[name] = {
                "MODULE": module,
                "PORT": str(port),
                f"{kind.upper()}_PORT": str(port),
                **own,
            }
        try:
            running.start(*running.environments)
            yield running
        finally:
            for name in running.processes:
                running.kill(name)


@pytest.mark.parametrize("victim", ["m1-a", "m3-b", "gateway-a"])
def test_a_killed_process_costs_no_visitor_an_answer(product: Replicas, victim: str):
    """Killed with kill -9 under load, then a start that takes its time: every answer is the right place, verified."""
    for seed in range(PLACES):
        add(product.a, encode(draw_place(seed)), place_id=f"place-{seed}")
    photos = [encode(see_again(draw_place(seed), 3).image) for seed in range(PLACES)]
    answers, is_back = Counter[tuple[object, ...]](), Event()

    def visit(first: int) -> None:
        asked = 0
        while asked < MATCHES_EACH or not is_back.is_set():
            seed = (first + asked) % PLACES
            reply = product.a.post("/match", files={"file": ("q.jpg", photos[seed])})
            body = reply.json()
            right = reply.status_code == 200 and body["place"] is not None and body["place"]["id"] == f"place-{seed}"
            answers[reply.status_code, right, body.get("verification")] += 1
            asked += 1

    with ThreadPoolExecutor(2) as visitors:
        visits = [visitors.submit(visit, first) for first in (0, 3)]
        try:
            product.kill(victim)
            product.start(victim)
        finally:
            is_back.set()
        for visited in visits:
            visited.result()

    assert answers.keys() == {(200, True, "done")}
    assert answers.total() >= 2 * MATCHES_EACH
