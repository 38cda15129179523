"""The images of the previous release made a gallery; today's go on with it."""

import os
from pathlib import Path

import pytest
from product import CPU, REPOSITORY, STATE, Product, run, shown

PREVIOUS = os.environ.get("PREVIOUS_RELEASE", "5d2238f")
"""0.1.0, the last commit before 0.2.0 was begun. Its images are built once and kept with the engine's state."""

TAGS = """
services:
  m1: { image: "semantic-image-matcher-cpu:previous" }
  m3: { image: "semantic-image-matcher-cpu:previous" }
  gateway: { image: "semantic-image-matcher-gateway:previous" }
"""


@pytest.fixture(scope="module")
def previous_images() -> None:
    """Images under the tag `previous`, built of the previous release's own Dockerfiles."""
    found = run("docker", "images", "--quiet", "semantic-image-matcher-gateway:previous").stdout
    if found:
        return
    if run("git", "cat-file", "-e", PREVIOUS, cwd=REPOSITORY, check=False).returncode:
        pytest.skip(f"this clone does not hold {PREVIOUS}, the previous release")
    sources = STATE / "previous"
    sources.mkdir(exist_ok=True)
    run("sh", "-c", f"git archive {PREVIOUS} | tar -x -C {sources}", cwd=REPOSITORY)
    index = (STATE / "torch-index").read_text().strip()
    for dockerfile, image in (("Dockerfile.cpu", "cpu"), ("gateway/Dockerfile", "gateway")):
        run(
            *f"docker build --quiet --network host --build-arg TORCH_INDEX_URL={index}".split(),
            *f"--file {dockerfile} --tag semantic-image-matcher-{image}:previous .".split(),
            cwd=sources, timeout=800,
        )  # fmt: skip


def test_an_upgrade_keeps_the_gallery(images: None, previous_images: None, tmp_path: Path):
    """What was added and answered before is found afterwards, under the same ids; nothing needs to be done."""
    old = Product(tmp_path / "old", "sim-upgrade", CPU, port=8019)
    files = "docker-compose.yml docker-compose.cpu.yml .env.example"
    run("sh", "-c", f"git -C {REPOSITORY} archive {PREVIOUS} {files} | tar -x", cwd=old.folder)
    (old.folder / "previous.yml").write_text(TAGS)
    new = Product(tmp_path / "new", "sim-upgrade", CPU, port=8019)
    try:
        old.configure(COMPOSE_FILE=f"{CPU}:previous.yml")
        old.up()
        for place in range(3):
            old.add(place)
        before = old.ask("GET", "/index/images").json()
        assert shown(old.match(1)) == "place-1"
        assert old.inspect("m1", "{{.Config.Image}}").endswith(":previous")

        new.up()
        assert not new.inspect("m1", "{{.Config.Image}}").endswith(":previous")
        after = new.ask("GET", "/index/images").json()
        assert [image["id"] for image in after["images"]] == [image["id"] for image in before["images"]]
        reply = new.match(1)
        assert (shown(reply), reply["verification"]) == ("place-1", "done")
        new.add(3)
        assert shown(new.match(3)) == "place-3"
    finally:
        new.down("--volumes")
