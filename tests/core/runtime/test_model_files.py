import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from safetensors.numpy import save_file

from core.errors import BackendUnavailable
from core.runtime.model_files import resolve_model_folder, weights_digest

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPOSITORY = Path(__file__).parents[3]
RESOLVE = """
import sys
from core.errors import BackendUnavailable
from core.runtime.model_files import resolve_model_folder
try:
    print(resolve_model_folder(sys.argv[1], alternative="choose another"))
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


class _Hub(BaseHTTPRequestHandler):
    """Answers as a hub or its mirror does: ``open/model`` is handed out, everything else is gated."""

    folder: Path

    def do_GET(self) -> None:
        """Answer a question about the model, or give a file of it."""
        path = self.path.partition("?")[0]
        if "open/model" not in path:
            self._answer(403, b"", {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted."})
        elif "/tree/" in path:
            files = [
                {"type": "file", "path": file.name, "size": file.stat().st_size, "oid": file.name}
                for file in self.folder.iterdir()
            ]
            self._answer(200, json.dumps(files).encode(), {"Content-Type": "application/json"})
        elif path.startswith("/api/"):
            files = [{"rfilename": file.name} for file in self.folder.iterdir()]
            body = {"id": "open/model", "sha": COMMIT, "siblings": files, "private": False, "tags": [], "downloads": 0}
            self._answer(200, json.dumps(body).encode(), {"Content-Type": "application/json"})
        else:
            content = (self.folder / Path(path).name).read_bytes()
            self._answer(200, content, {"ETag": f'"{len(content)}"', "X-Repo-Commit": COMMIT})

    do_HEAD = do_GET

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[str]:
    """The address of a hub on this machine."""
    handler = type("Hub", (_Hub,), {"folder": write_model(tmp_path / "published")})
    (tmp_path / "published" / "pytorch_model.bin").write_bytes(b"a pickle")
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def resolve_in_a_process(model: str, cache: Path, **environment: str) -> str:
    """Resolve a model in a process of its own: the hub library reads its settings once, when it is imported."""
    done = subprocess.run(
        [sys.executable, "-c", RESOLVE, model],
        env=os.environ | {"HF_HOME": str(cache), "HF_HUB_OFFLINE": "0", "PYTHONPATH": str(REPOSITORY)} | environment,
        stdout=subprocess.PIPE, text=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def test_a_folder_is_taken_as_it_is(tmp_path: Path):
    """A local folder needs no hub."""
    folder = write_model(tmp_path / "model")
    assert resolve_model_folder(str(folder), alternative="") == folder


def test_files_that_may_not_be_read_are_named_as_such():
    """Weights of another user are not said to be missing: the file and the user that cannot read it are named."""
    with TemporaryDirectory() as folder:  # for others too; tmp_path lies in a folder of this user's own
        Path(folder).chmod(0o755)
        model = write_model(Path(folder) / "model")
        (model / "model.safetensors").chmod(0)
        user = os.getuid() or 10001
        done = subprocess.run(
            [sys.executable, "-c", f"import os\nimport core.runtime.model_files\nos.setuid({user})\n{RESOLVE}", model],
            cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, timeout=60, check=True,
        )  # fmt: skip

    assert f"permission denied: {model}/model.safetensors cannot be read" in done.stdout
    assert f"which runs as user {user};" in done.stdout


def test_a_folder_without_config_is_refused(tmp_path: Path):
    """A folder that holds no model is named as such, and never looked up on a hub."""
    with pytest.raises(BackendUnavailable, match=r"has no config\.json"):
        resolve_model_folder(str(tmp_path), alternative="")


def test_a_model_comes_from_a_mirror_once(hub: str, tmp_path: Path):
    """With HF_ENDPOINT a mirror is asked, without pickles, and the copy serves offline from then on."""
    folder = Path(resolve_in_a_process("open/model", tmp_path / "cache", HF_ENDPOINT=hub))
    assert sorted(file.name for file in folder.iterdir()) == ["config.json", "model.safetensors"]
    assert weights_digest(folder) == weights_digest(tmp_path / "published")
    assert resolve_in_a_process("open/model", tmp_path / "cache", HF_HUB_OFFLINE="1") == str(folder)


def test_a_gated_model_is_explained(hub: str, tmp_path: Path):
    """A hub that answers "gated" leads to the licence, the token, the mirror and the alternative."""
    told = resolve_in_a_process("facebook/dinov3-vits16-pretrain-lvd1689m", tmp_path / "cache", HF_ENDPOINT=hub)
    for part in ("licence has not been accepted", "HF_TOKEN", "HF_ENDPOINT", "give that path", "choose another"):
        assert part in told


def test_an_unreachable_hub_is_explained(tmp_path: Path):
    """Offline without a cached copy is no traceback either."""
    told = resolve_in_a_process("facebook/dinov2-giant", tmp_path / "cache", HF_HUB_OFFLINE="1")
    assert "model facebook/dinov2-giant cannot be loaded" in told
    assert "Three solutions" in told


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
    with pytest.raises(BackendUnavailable, match="not a complete safetensors file"):
        weights_digest(file.parent)


def test_damaged_config_is_refused(tmp_path: Path):
    """A config that is not a JSON object is named."""
    folder = write_model(tmp_path / "model")
    (folder / "config.json").write_text("[]")
    with pytest.raises(BackendUnavailable, match=r"config\.json .* is not a JSON object"):
        weights_digest(folder)
