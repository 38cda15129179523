"""Models from ModelScope, against a hub of its interface on this machine."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from servers.hubs import Answering, ModelScope, served, silent_server, write_model

from core.errors import BackendUnavailable
from core.runtime import modelscope
from core.runtime.model_folder import resolve_model_folder

NEEDS = (("preprocessor_config.json", "processor_config.json"),)


class Hub:
    """A hub of ModelScope's interface.

    Attributes:
        published: folder of the model.
        handler: how it answers.
    """

    def __init__(self, folder: Path) -> None:
        self.published = write_model(folder)
        (folder / "pytorch_model.bin").write_bytes(b"a pickle")
        (folder / "preprocessor_config.json").write_text("{}")
        self.handler: Any = type("Hub", (ModelScope,), {"folder": folder, "requests": [], "listed": {}})

    def asked(self, name: str) -> list[str | None]:
        """The ranges that were asked for of a file."""
        return [ranges for path, ranges, _ in self.handler.requests if path == f"/storage/{name}"]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The hub that is asked, and an empty cache."""
    made = Hub(tmp_path / "published")
    with served(made.handler) as address:
        monkeypatch.setenv("MODELSCOPE_DOMAIN", address)
        monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        yield made


def resolve(model: str = "modelscope:open/model", revision: str | None = None) -> Path:
    return resolve_model_folder(model, alternative="choose another", revision=revision, needs=NEEDS)


def test_a_model_is_downloaded_once(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    """Its files arrive without pickles; a complete copy is used without asking, also while the hub is silent."""
    folder = resolve()
    assert sorted(file.name for file in folder.iterdir() if file.name[0] != ".") == [
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
    ]
    assert (folder / "model.safetensors").read_bytes() == (hub.published / "model.safetensors").read_bytes()
    with silent_server() as silent:
        monkeypatch.setenv("MODELSCOPE_DOMAIN", silent)
        assert resolve() == folder


def test_copies_of_modelscopes_own_library_are_used(hub: Hub, tmp_path: Path):
    """They lie in the same cache, where dots of a name are written as three underscores."""
    copy = tmp_path / "cache" / "models" / "Qwen" / "Qwen3___5-VL"
    copy.parent.mkdir(parents=True)
    write_model(copy)
    (copy / "processor_config.json").write_text("{}")
    assert resolve("modelscope:Qwen/Qwen3.5-VL") == copy
    assert hub.handler.requests == []


def test_revisions_are_kept_apart(hub: Hub):
    """A named revision is not taken for the main branch."""
    assert resolve(revision="v1.0") != resolve()


def test_a_download_goes_on_where_it_was_interrupted(hub: Hub):
    """What arrived is not fetched again."""
    hub.handler.send = lambda request, rest: request.wfile.write(rest[: len(rest) // 2])
    with pytest.raises(BackendUnavailable, match=r"model\.safetensors arrived in part: "):
        resolve()
    hub.handler.send = None
    folder = resolve()
    assert (folder / "model.safetensors").read_bytes() == (hub.published / "model.safetensors").read_bytes()
    half = (hub.published / "model.safetensors").stat().st_size // 2
    assert hub.asked("model.safetensors") == [None, f"bytes={half}-"]
    assert hub.asked("config.json") == [None]


def test_a_storage_without_ranges_sends_all_again(hub: Hub):
    """A whole file in answer to a range replaces the part."""
    hub.handler.send = lambda request, rest: request.wfile.write(rest[: len(rest) // 2])
    with pytest.raises(BackendUnavailable):
        resolve()
    hub.handler.send, hub.handler.ranges = None, False
    folder = resolve()
    assert (folder / "model.safetensors").read_bytes() == (hub.published / "model.safetensors").read_bytes()


def test_a_damaged_file_is_never_used(hub: Hub):
    """A file whose SHA-256 is not the one announced is deleted, and fetched anew next time."""
    hub.handler.listed = {"Sha256": "0" * 64}
    with pytest.raises(BackendUnavailable, match=r"model\.safetensors\.part arrived damaged"):
        resolve()
    hub.handler.listed = {}
    assert (resolve() / "model.safetensors").is_file()
    assert hub.asked("model.safetensors") == [None, None]


def test_a_model_that_does_not_fit_the_disk_is_refused(hub: Hub, tmp_path: Path):
    """Before the first byte, with what it needs and what is free."""
    hub.handler.listed = {"Size": 10**18}
    with pytest.raises(BackendUnavailable, match=rf"needs 1000000000\.0 GB more, and .* are free in {tmp_path}"):
        resolve()
    assert hub.asked("config.json") == []


def test_the_token_stays_with_modelscope(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    """It is not handed to the storage that large files lie in."""
    monkeypatch.setenv("MODELSCOPE_API_TOKEN", "secret-token")
    resolve()
    cookies = {path.split("/")[1]: cookie for path, _, cookie in hub.handler.requests}
    assert cookies == {"api": "m_session_id=secret-token", "storage": None}


def test_a_silent_hub_is_given_up(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    """A hub that takes the connection and says nothing is an error, not a start that never ends."""
    monkeypatch.setattr(modelscope, "_PATIENCE_S", 0.2)
    with silent_server() as silent:
        monkeypatch.setenv("MODELSCOPE_DOMAIN", silent)
        with pytest.raises(BackendUnavailable, match="modelscope:open/model cannot be loaded: timed out"):
            resolve()


@pytest.mark.parametrize(
    ("model", "status", "cause"),
    [
        ("modelscope:closed/model", None, "ModelScope refuses access"),
        ("modelscope:open/model", 404, "no such model or revision"),
        ("modelscope:open/model", 200, "other than ModelScope"),
        ("modelscope:../model", None, "not an id of ModelScope"),
        ("modelscope:model", None, "not an id of ModelScope"),
    ],
)
def test_a_refusal_says_what_to_do(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, model: str, status: int | None, cause: str
):
    """Each is named as what it is, with the ways out."""

    class Other(Answering):
        def do_GET(self) -> None:
            self.answer(status or 403, b"<html")

    with ExitStack() as stack:
        if status is not None:
            monkeypatch.setenv("MODELSCOPE_DOMAIN", stack.enter_context(served(Other)))
        with pytest.raises(BackendUnavailable, match=cause) as raised:
            resolve(model)
    for way in ("give that path", "MODELSCOPE_API_TOKEN", "from Hugging Face", "choose another"):
        assert way in str(raised.value)


def test_offline_nobody_is_asked(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    """HF_HUB_OFFLINE holds for this hub as well."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(BackendUnavailable, match="HF_HUB_OFFLINE"):
        resolve()
    assert hub.handler.requests == []
