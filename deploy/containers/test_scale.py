"""docker-compose.scale.yml on stand-ins for what others provide; nginx, PostgreSQL and Milvus among them are real."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from product import REPOSITORY, SEEN, Product, run, shown

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
    product.up(timeout=500)
    yield product
    product.down("--volumes")


def test_any_replica_answers(scale: Product):
    """Added through one replica, matched through any: twelve matches in a row are right and verified."""
    for place in range(3):
        scale.add(place)
    for number in range(12):
        reply = scale.match(number % 3)
        assert (reply["candidates"][0]["place"]["id"], reply["verification"]) == (f"place-{number % 3}", "done")
    assert "vector_engine" in scale.compose("exec", "m1-a", "python", "-c", ASK_READINESS).stdout


ASK_READINESS = """
import os, urllib.request as r
key = {"Authorization": "Bearer " + os.environ["M1_SERVICE_KEY"]}
print(r.urlopen(r.Request("http://127.0.0.1:8001/health/ready", headers=key)).read().decode())
"""


@pytest.mark.parametrize("service", ["gateway-b", "m1-b", "m3-b", "vllm-b"])
def test_a_replica_that_vanishes_costs_no_answer(scale: Product, service: str):
    """Its container is killed and its name is gone while visitors ask one after the other: every answer is 200."""
    answers: list[tuple[int, float]] = []
    for _ in range(2):
        end = time.monotonic() + 15
        while time.monotonic() < end:
            begun = time.monotonic()
            status = scale.ask("POST", "/match", files={"file": SEEN[0]}).status_code
            answers.append((status, time.monotonic() - begun))
            if time.monotonic() > end - 12 and service_runs(scale, service):
                scale.compose("kill", service)
        scale.compose("up", "--detach", "--no-build", service)
        scale.wait_for("healthy", lambda: service_is_healthy(scale, service), within=300)
    assert {status for status, _ in answers} == {200}, answers
    assert max(seconds for _, seconds in answers) < 4.5


def test_the_database_restarts(scale: Product):
    """PostgreSQL is stopped and started: once it is back, answers are right again, and nothing else needs a restart."""
    scale.compose("restart", "postgres")
    scale.wait_for("right again", lambda: scale.ask("POST", "/match", files={"file": SEEN[1]}).status_code == 200)
    assert scale.match(1)["candidates"][0]["place"]["id"] == "place-1"
    assert shown(scale.match(1)) in {"place-1", None}


def service_runs(product: Product, service: str) -> bool:
    """Whether the container runs."""
    return product.inspect(service, "{{.State.Running}}") == "true"


def service_is_healthy(product: Product, service: str) -> bool:
    """Whether its health check says so."""
    return product.inspect(service, "{{.State.Health.Status}}") == "healthy"
