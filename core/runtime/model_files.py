"""Finds the files of a transformers model, and identifies its weights.

A model is a local folder or a hub id. Only configuration, tokenizer and safetensors files are ever fetched or read:
no pickles, no remote code. Where the cache lies, which mirror is asked and with which token is the hub library's own
business (HF_HOME, HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE).
"""

import hashlib
import json
import os
import struct
from pathlib import Path
from typing import Any

from core.errors import BackendUnavailable

_FETCHED = ["*.json", "*.txt", "*.jinja", "*.safetensors"]
_VOLATILE = ("_name_or_path", "transformers_version", "torch_dtype", "dtype", "architectures")
_SAMPLES = 64
_SAMPLE_BYTES = 4096


def resolve_model_folder(model: str, *, alternative: str, revision: str | None = None) -> Path:
    """Give the folder with a model's files, fetching them from the hub if need be.

    Args:
        model: a folder, or a hub id such as ``facebook/dinov2-giant``.
        alternative: the third way out named in the error: a choice that needs no licence or no download.
        revision: branch, tag or commit on the hub; None is the hub's main branch.

    Raises:
        BackendUnavailable: there is no such folder, and the hub does not hand the model out; the message names the
            ways out.
    """
    folder = Path(model).expanduser()
    if _is_readable_folder(folder):
        if not (folder / "config.json").is_file():
            raise BackendUnavailable(
                f"folder {model} has no config.json, so it is not a transformers model; give the folder that has one"
            )
        return folder
    # A path that does not exist must not be sent to a hub as if it were an id.
    if model.startswith(("/", ".", "~")) or model.count("/") != 1:
        raise BackendUnavailable(_ways_out(model, "no such folder, and not a hub id (owner/name)", alternative))
    return _fetch(model, alternative, revision)


def weights_digest(folder: Path) -> str:
    """Identify the weights in a folder: 12 hex digits, the same wherever the files lie and whatever loads them.

    Hashes the configuration, the tensor tables and 64 evenly spaced samples of 4 KiB of every safetensors file, so
    that it takes milliseconds for a model of any size and still tells two fine-tunes of one architecture apart.

    Raises:
        BackendUnavailable: the folder holds no readable safetensors file.
    """
    digest = hashlib.sha256()
    config = read_json(folder / "config.json")
    digest.update(_canonical({key: value for key, value in config.items() if key not in _VOLATILE}))
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise BackendUnavailable(f"folder {folder} has no *.safetensors file; convert the weights to safetensors")
    for file in files:
        _digest_file(file, digest)
    return digest.hexdigest()[:12]


def read_json(file: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        BackendUnavailable: the file is missing, unreadable or no JSON object.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BackendUnavailable(f"cannot read {file.name} of the model in {file.parent}: {error}") from error
    if not isinstance(content, dict):
        raise BackendUnavailable(f"{file.name} of the model in {file.parent} is not a JSON object")
    return content


def _is_readable_folder(folder: Path) -> bool:
    """Whether there is such a folder.

    Raises:
        BackendUnavailable: it or a file in it may not be read; the libraries that read models call such a file missing.
    """
    unreadable: Path | None = None
    try:
        if not folder.is_dir():
            return False
        unreadable = next((file for file in sorted(folder.iterdir()) if not os.access(file, os.R_OK)), None)
    except PermissionError:
        unreadable = folder
    if unreadable is not None:
        raise BackendUnavailable(
            f"permission denied: {unreadable} cannot be read by this process, which runs as user {os.getuid()}; "
            f"make the model readable for it, for example by chmod -R a+rX on the folder"
        )
    return True


def _digest_file(file: Path, digest: "hashlib._Hash") -> None:
    size = file.stat().st_size
    with file.open("rb") as stream:
        head = stream.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else size
        if length + 8 > size:
            raise BackendUnavailable(f"{file} is not a complete safetensors file ({size} bytes); download it again")
        table = json.loads(stream.read(length))
        table.pop("__metadata__", None)
        digest.update(_canonical(table))
        start, span = 8 + length, max(0, size - 8 - length - _SAMPLE_BYTES)
        for sample in range(_SAMPLES):
            stream.seek(start + span * sample // (_SAMPLES - 1))
            digest.update(stream.read(_SAMPLE_BYTES))


def _canonical(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def _fetch(model: str, alternative: str, revision: str | None) -> Path:
    # Here, because a local folder needs no hub library at all.
    from huggingface_hub import snapshot_download

    # HTTPError is the root error of its HTTP library; core imports no HTTP itself.
    from huggingface_hub.errors import (  # type: ignore[attr-defined]
        GatedRepoError,
        HTTPError,
        RepositoryNotFoundError,
    )

    try:
        return Path(snapshot_download(model, revision=revision, allow_patterns=_FETCHED))
    except GatedRepoError as error:
        raise BackendUnavailable(_ways_out(model, "its licence has not been accepted here", alternative)) from error
    except RepositoryNotFoundError as error:
        fact = "the hub has no such model, or shows it only to accounts with access"
        raise BackendUnavailable(_ways_out(model, fact, alternative)) from error
    except (HTTPError, OSError, ValueError) as error:  # no network, offline and not cached, disk full, malformed id
        raise BackendUnavailable(_ways_out(model, _first_line(error), alternative)) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _ways_out(model: str, fact: str, alternative: str) -> str:
    return (
        f"model {model} cannot be loaded: {fact}. Three solutions: "
        "(1) put its files (config.json, *.safetensors) into a folder and give that path; "
        "(2) accept the licence on the model's page and set HF_TOKEN, or point HF_ENDPOINT at a mirror you may use; "
        f"(3) {alternative}"
    )
