"""docker-compose.scale.yml on stand-ins for what others provide; nginx, PostgreSQL and Milvus among them are real."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from product import MADE, REPOSITORY, Product, run

STANDINS = Path(__file__).parent / "standins"
SECRETS = {
    "SERVICE_KEY": "of-these-tests-and-never-used-else", "POSTGRES_PASSWORD": "of-these-tests",
    "STORE_USER": "matcher", "STORE_PASSWORD": "of-these-tests",
}  # fmt: skip
NO_GPU = "services:\n" + "".join(
    f"  {name}: {{ deploy: !reset null }}\n" for name in ("m1-a", "m1-b", "vllm-a", "vllm-b")
)


@pytest.fixture(scope="module")
def standins(images: None, gpu_images: None) -> None:
    """Images under the tags that the compose file names."""
    text = (REPOSITORY / "docker-compose.scale.yml").read_text()
    for name, repository in {
        "nginx": "nginxinc/nginx-unprivileged", "postgres": "postgres", "minio": "minio/minio",
        "milvus": "milvusdb/milvus", "etcd": "milvusdb/etcd", "vllm": "vllm/vllm-openai",
    }.items():  # fmt: skip
        (tag,) = set(re.findall(rf"image: \S*?\b({repository}:[\w.-]+)", text))
        run(*f"docker build --quiet --network host --target {name} --tag {tag} .".split(), cwd=STANDINS, timeout=600)


@pytest.fixture(scope="module")
def scale(standins: None, writable: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """Two of each process, as docs/scale.md starts them; DINOv3 of tiny random weights, and Milvus."""
    models = writable / "scale-models"
    models.mkdir()
    models.chmod(0o777)
    make = "python -m scripts.make_tiny_models /w --only dinov3".split()
    run("docker", "run", "--rm", "--volume", f"{models}:/w", "semantic-image-matcher-m3", *make)
    settings = SECRETS | {"MODELS": str(models), "M1_MODEL": "/models/dinov3", "M1_DEVICE": "cpu"}
    product = Product(
        tmp_path_factory.mktemp("scale"), "sim-scale", "docker-compose.scale.yml:no-gpu.yml", (), settings, port=8021
    )
    (product.folder / "no-gpu.yml").write_text(NO_GPU)
    try:
        product.up(timeout=500)
        yield product
    finally:
        product.down("--volumes")


def test_any_replica_answers(scale: Product):
    """Added through one replica, matched through any: twelve matches in a row are right and verified.

    The photos themselves are asked: what weights that learned nothing make of another view is anybody's guess.
    """
    for place in range(3):
        scale.add(place)
    for number in range(12):
        assert first_place(scale, number % 3) == (f"place-{number % 3}", "done")
    assert "vector_engine" in scale.compose("exec", "m1-a", "python", "-c", ASK_READINESS).stdout


LONGEST_S = 10.0 + 1.0  # GATEWAY_LONGEST_MATCH_S, and what an answer itself may take
ASK_READINESS = """
import os, urllib.request as r
key = {"Authorization": "Bearer " + os.environ["M1_SERVICE_KEY"]}
print(r.urlopen(r.Request("http://127.0.0.1:8001/health/ready", headers=key)).read().decode())
"""


@pytest.mark.parametrize("how", ["killed", "unplugged"])
@pytest.mark.parametrize("service", ["gateway-b", "m1-b", "m3-b", "vllm-b"])
def test_a_replica_that_vanishes_costs_no_answer(scale: Product, service: str, how: str):
    """Killed, its name is gone too; unplugged, the name stays: every answer to those who ask meanwhile is 200."""
    answers: list[tuple[int, float]] = []
    end, is_there = time.monotonic() + 20, True
    while time.monotonic() < end:
        begun = time.monotonic()
        status = scale.ask("POST", "/match", files={"file": MADE[0]}).status_code
        answers.append((status, time.monotonic() - begun))
        if is_there and time.monotonic() > end - 17:
            is_there = False
            if how == "unplugged":
                scale.unplug(service)
            else:
                scale.compose("kill", service)
    scale.compose("stop", "--timeout", "0", service)
    scale.compose("up", "--detach", "--no-build", service)
    scale.wait_for("healthy", lambda: service_is_healthy(scale, service), within=300)
    assert {status for status, _ in answers} == {200}, answers
    assert max(seconds for _, seconds in answers) < LONGEST_S


def test_the_database_restarts(scale: Product):
    """PostgreSQL is stopped and started: once it is back, answers are right again, and nothing else needs a restart."""
    scale.compose("restart", "postgres")
    scale.wait_for("right again", lambda: scale.ask("POST", "/match", files={"file": MADE[1]}).status_code == 200)
    assert first_place(scale, 1) == ("place-1", "done")


def first_place(product: Product, place: int) -> tuple[str, str]:
    """What the photo of a place shows before all others, and whether that was verified."""
    answer = product.ask("POST", "/match", files={"file": MADE[place]})
    assert answer.status_code == 200, answer.text
    reply = answer.json()
    return reply["candidates"][0]["place"]["id"], reply["verification"]


def service_is_healthy(product: Product, service: str) -> bool:
    """Whether its health check says so."""
    return product.inspect(service, "{{.State.Health.Status}}") == "healthy"
