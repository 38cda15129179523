import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from core.errors import BackendUnavailable
from core.model_files import resolve_model_folder, weights_digest

REPOSITORY = Path(__file__).parents[2]
RESOLVE = """
import sys
from core.errors import BackendUnavailable
from core.model_files import resolve_model_folder
try:
    resolve_model_folder(sys.argv[1], alternative="choose another")
except BackendUnavailable as error:
    print(error)
"""


def write_model(folder: Path, seed: int = 0, **config: object) -> Path:
    """A model's files, of 2 x 40,000 random numbers."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    tensors = {name: rng.normal(size=(200, 200)).astype(np.float32) for name in ("a.weight", "b.weight")}
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"model_type": "dinov3_vit", "rope_theta": 100.0} | config))
    return folder


class _GatedHub(BaseHTTPRequestHandler):
    """Answers as the hub does for a model whose licence was not accepted."""

    def do_GET(self) -> None:
        """Refuse."""
        self.send_response(403)
        self.send_header("X-Error-Code", "GatedRepo")
        self.send_header("X-Error-Message", "Access to model x/y is restricted. You must have access to it.")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


@pytest.fixture
def gated_hub() -> Iterator[str]:
    """The address of a hub on this machine that hands nothing out."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _GatedHub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_folder_is_taken_as_it_is(tmp_path: Path):
    """A local folder needs no hub."""
    folder = write_model(tmp_path / "model")
    assert resolve_model_folder(str(folder), alternative="") == folder


def test_a_folder_without_config_is_refused(tmp_path: Path):
    """A folder that holds no model is named as such, and never looked up on a hub."""
    with pytest.raises(BackendUnavailable, match=r"holds no config\.json"):
        resolve_model_folder(str(tmp_path), alternative="")


def test_a_gated_model_is_explained(gated_hub: str, tmp_path: Path):
    """A hub that answers "gated" leads to the licence, the token, the mirror and the alternative."""
    # In a process of its own: the hub library reads its address once, when it is imported.
    environment = os.environ | {"HF_ENDPOINT": gated_hub, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "0"}
    environment["PYTHONPATH"] = str(REPOSITORY)
    done = subprocess.run(
        [sys.executable, "-c", RESOLVE, "facebook/dinov3-vits16-pretrain-lvd1689m"],
        env=environment, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    for part in ("licence has not been accepted", "HF_TOKEN", "HF_ENDPOINT", "give that path", "choose another"):
        assert part in done.stdout


def test_an_unreachable_hub_is_explained(tmp_path: Path):
    """Offline without a cached copy is no traceback either."""
    environment = os.environ | {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", RESOLVE, "facebook/dinov2-giant"],
        env=environment, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "model facebook/dinov2-giant cannot be loaded" in done.stdout
    assert "Three ways out" in done.stdout


def test_digest_is_of_the_content(tmp_path: Path):
    """Same files elsewhere, or saved by another version of transformers: same digest."""
    first = weights_digest(write_model(tmp_path / "one", transformers_version="5.0", _name_or_path="here"))
    second = weights_digest(write_model(tmp_path / "two", transformers_version="5.9", dtype="float32"))
    assert first == second
    assert len(first) == 12


def test_digest_tells_fine_tunes_apart(tmp_path: Path):
    """Other numbers in the same tensors, or another setting of the network: another digest."""
    digests = {
        weights_digest(write_model(tmp_path / "base")),
        weights_digest(write_model(tmp_path / "tuned", seed=1)),
        weights_digest(write_model(tmp_path / "theta", rope_theta=50.0)),
    }
    assert len(digests) == 3


def test_digest_of_nothing_is_refused(tmp_path: Path):
    """Weights in another format are named, not ignored."""
    folder = write_model(tmp_path / "model")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(BackendUnavailable, match="safetensors"):
        weights_digest(folder)


@pytest.mark.parametrize("length", [0, 5, 100])
def test_digest_of_a_cut_file_is_refused(tmp_path: Path, length: int):
    """An interrupted download is noticed."""
    file = write_model(tmp_path / "model") / "model.safetensors"
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(BackendUnavailable, match="no whole safetensors file"):
        weights_digest(file.parent)


def test_damaged_config_is_refused(tmp_path: Path):
    """A config that is no JSON object is named."""
    folder = write_model(tmp_path / "model")
    (folder / "config.json").write_text("[]")
    with pytest.raises(BackendUnavailable, match=r"config\.json .* is no JSON object"):
        weights_digest(folder)
