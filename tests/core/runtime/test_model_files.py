import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from servers.hubs import HuggingFace, served, silent_server, write_model

from core.errors import BackendUnavailable
from core.runtime.model_files import check_whole, digest_of_files
from core.runtime.model_folder import resolve_model_folder

REPOSITORY = Path(__file__).parents[3]
RESOLVE = """
import sys
from core.errors import BackendUnavailable
from core.runtime.model_folder import resolve_model_folder
try:
    print(resolve_model_folder(sys.argv[1], alternative="choose another"))
except BackendUnavailable as error:
    print(error)
"""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[str]:
    """The address of a hub on this machine."""
    handler = type("Hub", (HuggingFace,), {"folder": write_model(tmp_path / "published")})
    (tmp_path / "published" / "pytorch_model.bin").write_bytes(b"a pickle")
    with served(handler) as address:
        yield address


def resolve_in_a_process(model: str, cache: Path, **environment: str) -> str:
    """Resolve a model in a process of its own: the hub library reads its settings once, when it is imported."""
    return run_in_a_process([sys.executable, "-c", RESOLVE, model], cache, **environment)


def run_in_a_process(command: list[str], cache: Path, **environment: str) -> str:
    """What a command prints, with a hub cache of its own."""
    done = subprocess.run(
        command,
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
        program = f"import os\nfrom core.runtime import model_folder, model_hub\nos.setuid({user})\n{RESOLVE}"
        done = subprocess.run(
            [sys.executable, "-c", program, model],
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
    assert (folder / "model.safetensors").read_bytes() == (tmp_path / "published" / "model.safetensors").read_bytes()
    assert resolve_in_a_process("open/model", tmp_path / "cache", HF_HUB_OFFLINE="1") == str(folder)


def test_a_gated_model_is_explained(hub: str, tmp_path: Path):
    """A hub that answers "gated" leads to ModelScope first, then to the licence, the token and the alternative."""
    told = resolve_in_a_process("facebook/dinov3-vits16-pretrain-lvd1689m", tmp_path / "cache", HF_ENDPOINT=hub)
    for part in ("licence has not been accepted", "HF_TOKEN", "HF_ENDPOINT", "give that path", "choose another"):
        assert part in told
    assert "(1) take it from ModelScope" in told
    assert "modelscope:facebook/dinov3-vits16-pretrain-lvd1689m; the model's licence holds" in told


def test_a_damaged_file_is_never_used(tmp_path: Path):
    """A file whose SHA-256 is not the one announced is deleted, and fetched anew next time."""
    published = write_model(tmp_path / "published")
    worse = {"folder": published, "damaged": lambda self, content: content[:-1] + b"x"}
    with served(type("Damaging", (HuggingFace,), worse)) as hub:
        told = resolve_in_a_process("open/model", tmp_path / "cache", HF_ENDPOINT=hub)
    assert "arrived damaged" in told
    with served(type("Hub", (HuggingFace,), {"folder": published})) as hub:
        folder = Path(resolve_in_a_process("open/model", tmp_path / "cache", HF_ENDPOINT=hub))
    assert (folder / "model.safetensors").read_bytes() == (published / "model.safetensors").read_bytes()


def test_a_model_that_does_not_fit_the_disk_is_refused(tmp_path: Path):
    """Before it fills the disk, with what it needs and what is free."""
    vast = {"folder": write_model(tmp_path / "published"), "size": 10**18}
    with served(type("Vast", (HuggingFace,), vast)) as hub:
        told = resolve_in_a_process("open/model", tmp_path / "cache", HF_ENDPOINT=hub)
    assert "it needs 1000000000.0 GB more" in told


def test_an_unreachable_hub_is_explained(tmp_path: Path):
    """Offline without a cached copy is no traceback either."""
    told = resolve_in_a_process("facebook/dinov2-giant", tmp_path / "cache", HF_HUB_OFFLINE="1")
    assert "model facebook/dinov2-giant cannot be loaded" in told
    assert "Three solutions" in told


def test_a_complete_cache_asks_nobody(hub: str, tmp_path: Path):
    """A cached model is used as it is, whatever the hub is like now: silent, a login page, or changed by its owner."""
    cached = resolve_in_a_process("open/model", tmp_path / "cache", HF_ENDPOINT=hub)
    with silent_server() as silent:
        assert resolve_in_a_process("open/model", tmp_path / "cache", HF_ENDPOINT=silent) == cached


def test_a_cache_filled_by_another_program_serves_offline(hub: str, tmp_path: Path):
    """Configuration and weights suffice; what else the repository lists is not missed."""
    (tmp_path / "published" / "notes.json").write_text("{}")
    fill = (
        "from huggingface_hub import snapshot_download as fetch;"
        "fetch('open/model', allow_patterns=['config.json', 'model.safetensors'])"
    )
    run_in_a_process([sys.executable, "-c", fill], tmp_path / "cache", HF_ENDPOINT=hub)
    folder = Path(resolve_in_a_process("open/model", tmp_path / "cache", HF_HUB_OFFLINE="1"))
    assert (folder / "model.safetensors").is_file()


def test_a_silent_hub_is_given_up(tmp_path: Path):
    """A hub that takes the connection and says nothing is an error after seconds, not a start that never ends."""
    with silent_server() as silent:
        told = resolve_in_a_process("open/model", tmp_path / "cache", HF_ENDPOINT=silent)
    assert "model open/model cannot be loaded" in told


@pytest.mark.parametrize(
    ("headers", "status", "cause"),
    [
        ({"X-Error-Code": "GatedRepo", "X-Error-Message": "has been rejected by the authors"}, 403, "rejected"),
        ({"X-Error-Code": "GatedRepo", "X-Error-Message": "is awaiting a review"}, 403, "still pending"),
        ({"X-Error-Code": "RevisionNotFound"}, 404, "not this revision"),
        ({"X-Error-Message": "Invalid credentials in Authorization header"}, 401, "token in HF_TOKEN"),
        ({"Content-Type": "text/html"}, 200, "other than a model hub"),
    ],
)
def test_what_the_hub_says_is_told_apart(tmp_path: Path, headers: dict[str, str], status: int, cause: str):
    """Each refusal of a hub, and a login page in its place, is named as what it is."""

    def refuse(self: HuggingFace) -> None:
        self.answer(status, b"<html", headers)

    with served(type("Refusing", (HuggingFace,), {"do_GET": refuse, "do_HEAD": refuse})) as hub:
        told = resolve_in_a_process("open/model", tmp_path / "cache", HF_ENDPOINT=hub)
    assert cause in told


def test_a_folder_of_metas_own_files_says_how_to_convert(tmp_path: Path):
    """A .pth file is named as another format."""
    (tmp_path / "dinov3_vith16plus.pth").write_bytes(b"")
    with pytest.raises(BackendUnavailable, match="converts it"):
        resolve_model_folder(str(tmp_path), alternative="")


def test_the_earlier_digest_is_of_the_content(tmp_path: Path):
    """Galleries made by 0.1.0 recorded this digest, so it may never change."""
    first = digest_of_files(write_model(tmp_path / "one", transformers_version="5.0", _name_or_path="here"))
    second = digest_of_files(write_model(tmp_path / "two", transformers_version="5.9", dtype="float32"))
    assert first == second == "5f749c3b5af0"


def test_weights_in_another_format_are_refused(tmp_path: Path):
    """They are named, not ignored."""
    folder = write_model(tmp_path / "model")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(BackendUnavailable, match="safetensors"):
        check_whole(folder)
    assert digest_of_files(folder) is None


@pytest.mark.parametrize("length", [0, 5, 100, 200_000])
def test_an_interrupted_download_is_refused(tmp_path: Path, length: int):
    """A file that was cut off is noticed, in its table or behind it."""
    file = write_model(tmp_path / "model") / "model.safetensors"
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(BackendUnavailable, match="not a complete safetensors file"):
        check_whole(file.parent)


def test_a_missing_shard_is_refused(tmp_path: Path):
    """A file that the index lists and the folder lacks is named; others beside it do not count."""
    folder = write_model(tmp_path / "model")
    index = {"weight_map": {"a.weight": "model.safetensors", "b.weight": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(BackendUnavailable, match=r"model-2\.safetensors, which the index lists, is missing"):
        check_whole(folder)


def test_damaged_config_is_refused(tmp_path: Path):
    """A config that is not a JSON object is named."""
    folder = write_model(tmp_path / "model")
    (folder / "config.json").write_text("[]")
    with pytest.raises(BackendUnavailable, match=r"config\.json .* is not a JSON object"):
        digest_of_files(folder)
