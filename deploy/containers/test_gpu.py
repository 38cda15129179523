"""docker-compose.yml, the deployment for GPUs, on tiny models and without a GPU: what it runs and what it says."""

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from product import Product, run

FILES, LOCAL = "docker-compose.yml", ("build-here.yml", "no-gpu.yml")
ON_CPU = {"M1_DEVICE": "cpu", "M3_DEVICE": "cpu"}


@pytest.fixture(scope="module")
def models(gpu_images: None, writable: Path) -> Path:
    """Tiny models of random weights, in the layout of the real ones."""
    folder = writable / "models"
    folder.mkdir()
    folder.chmod(0o777)
    make = "python -m scripts.make_tiny_models /w --only dinov3 qwen3_vl".split()
    run("docker", "run", "--rm", "--volume", f"{folder}:/w", "semantic-image-matcher-m3", *make)
    return folder


@pytest.fixture
def gpu(models: Path, tmp_path: Path) -> Iterator[Product]:
    """The deployment, not started yet."""
    settings = {"MODELS": str(models), "M1_MODEL": "/models/dinov3", "M3_MODEL": "/models/qwen3_vl"}
    product = Product(tmp_path / "gpu", "sim-gpu", FILES, LOCAL, settings | ON_CPU, port=8020)
    yield product
    product.down("--volumes")


def test_the_encoder_and_the_verifier_are_those_of_the_images(gpu: Product):
    """As shipped, with neither named in .env: DINOv3 and Qwen3-VL, through index and match, in two prompt styles."""
    gpu.up()
    version = gpu.ask("GET", "/version").json()
    assert version["encoder"].startswith("dinov3")
    assert version["verifier"].startswith("qwen3-vl")
    gpu.add(0)
    reply = gpu.match(0)
    assert (reply["candidates"][0]["place"]["id"], reply["verification"]) == ("place-0", "done")
    chosen = gpu.match(0, data={"prompt_style": "chinese"})
    assert chosen["verification"] == "done"


def test_the_gateway_answers_while_the_verifier_cannot(gpu: Product, models: Path):
    """A verifier without its model, as while 17 GB load: answers come, unverified, and the reason is said."""
    gpu.configure(M3_MODEL="/models/none", M1_ENCODER="dinov3")
    gpu.compose("up", "--detach", "--no-build")
    gpu.wait_for("the gateway", lambda: answers(gpu), within=300)
    gpu.add(0)
    assert gpu.match(0)["verification"] == "unavailable"
    assert "no such folder" in gpu.ask("GET", "/health/ready").json()["reason"]


@pytest.mark.parametrize(
    ("model", "cause"),
    [("/models/misspelt", "no such folder"), ("facebook/dinov3-vits16", "licence has not been accepted")],
    ids=["missing", "gated"],
)  # fmt: skip
def test_a_model_that_cannot_be_had_is_said_soon(gpu: Product, hub: str, model: str, cause: str):
    """The log has the cause within 10 s of the service's own start; `up --wait` ends instead of waiting for an hour."""
    gpu.configure(M1_MODEL=model, HF_ENDPOINT=hub)
    begun = time.monotonic()
    done = gpu.compose("up", "--detach", "--wait", "--wait-timeout", "3600", "--no-build", timeout=200, check=False)
    assert done.returncode != 0
    assert f"{gpu.container('m1')} is unhealthy" in done.stderr
    assert time.monotonic() - begun < 180
    log = gpu.logs("m1")
    assert cause in log
    assert "'embedded'" not in log  # which this image does not hold
    stamps = [line for line in gpu.compose("logs", "--timestamps", "m1").stdout.splitlines() if "encoder" in line]
    assert any("loading the encoder" in line for line in stamps)
    assert seconds_between(stamps, "loading the encoder", "cannot be loaded") < 10


def test_weights_that_the_container_may_not_read_are_said_to_be(gpu: Product, models: Path):
    """Not "no such file": the permission and user 10001 are named."""
    weights = models / "dinov3" / "model.safetensors"
    run("chown", "root", str(weights))
    weights.chmod(0o600)
    try:
        gpu.compose("up", "--detach", "--no-build", "m1")
        gpu.wait_for("the cause", lambda: "cannot be loaded" in gpu.logs("m1"), within=300)
        assert "permission denied: /models/dinov3/model.safetensors" in gpu.logs("m1")
        assert "runs as user 10001" in gpu.logs("m1")
    finally:
        weights.chmod(0o644)


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    """A model hub of which every model is gated, reachable from the containers."""

    class Gated(BaseHTTPRequestHandler):
        """Refuses as a hub does."""

        def do_GET(self) -> None:
            """Say that the licence is not accepted."""
            self.send_response(403)
            self.send_header("X-Error-Code", "GatedRepo")
            self.send_header("X-Error-Message", "Access is restricted.")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Stay silent."""

    address = json.loads(run("docker", "network", "inspect", "bridge").stdout)[0]["IPAM"]["Config"][0]["Gateway"]
    with ThreadingHTTPServer((address, 0), Gated) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{address}:{server.server_port}"
        server.shutdown()


def answers(product: Product) -> bool:
    """Whether the gateway is ready."""
    try:
        return product.ask("GET", "/health/ready", timeout=5).status_code == 200
    except Exception:  # not listening yet
        return False


def seconds_between(lines: list[str], first: str, second: str) -> float:
    """Between the first lines of `docker compose logs --timestamps` that hold these words."""
    from datetime import datetime

    def moment(words: str) -> datetime:
        line = next(line for line in lines if words in line)
        return datetime.fromisoformat(line.partition("| ")[2].split()[0][:26] + "+00:00")

    return (moment(second) - moment(first)).total_seconds()
