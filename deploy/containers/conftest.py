"""Deployments of the tests in this folder. The engine runs already: see run.sh."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from product import CPU, STATE, Product, run


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bound every test, the image builds of its fixtures included."""
    for item in items:
        item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="session")
def images() -> None:
    """The images for a CPU, built as the compose files say."""
    build_images(CPU, "build-here.yml")


@pytest.fixture(scope="session")
def gpu_images() -> None:
    """The images for a GPU, with PyTorch for the CPU."""
    build_images("docker-compose.yml", "build-here.yml", "no-gpu.yml")


def build_images(files: str, *local: str) -> None:
    """Build with the sources of this checkout; nothing where run.sh has built already."""
    if "CONTAINERS_BUILT" in os.environ:
        return
    product = Product(STATE / "build", "build", files, local)
    product.compose("build", "--quiet", timeout=850)


@pytest.fixture(scope="module")
def cpu(images: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The deployment for a CPU, started as deployment.md says."""
    product = Product(tmp_path_factory.mktemp("cpu"), "sim-cpu", CPU)
    product.up()
    yield product
    if "KEEP_CONTAINERS" not in os.environ:
        product.down("--volumes")


@pytest.fixture(scope="session")
def writable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the host that user 10001 may write, as the documents ask for."""
    folder = tmp_path_factory.mktemp("host")
    for directory in (folder, *list(folder.parents)[:2]):
        directory.chmod(0o755)
    os.chown(folder, 10001, 10001)
    run("ls", str(folder))
    return folder
