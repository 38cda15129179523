"""Reads the files of a transformers model: configuration and safetensors; no pickles, no remote code."""

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

from core.errors import BackendUnavailable

PROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json")
"""Either holds how photos are preprocessed; the second is what transformers 5 writes."""
_VOLATILE = ("_name_or_path", "transformers_version", "torch_dtype", "dtype", "architectures")
_SAMPLES = 64
_SAMPLE_BYTES = 4096


def weight_files(folder: Path) -> list[Path]:
    """List the safetensors files that make up the model: those of the index, else the one file, else all there are."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        return [folder / name for name in sorted(set(read_json(index).get("weight_map", {}).values()))]
    single = folder / "model.safetensors"
    return [single] if single.is_file() else sorted(folder.glob("[!.]*.safetensors"))


def has_weights(folder: Path) -> bool:
    """Tell whether a folder has a model's configuration and all its weights."""
    weights = weight_files(folder) if (folder / "config.json").is_file() else []
    return bool(weights) and all(file.is_file() for file in weights)


def has_files(folder: Path, needs: tuple[tuple[str, ...], ...]) -> bool:
    """Tell whether a folder has a file of every kind; a kind is given by the names that its file may have."""
    return all(any((folder / name).is_file() for name in names) for names in needs)


def read_processor(folder: Path) -> dict[str, Any]:
    """Read how the model's photos are preprocessed; empty where the folder does not say.

    Raises:
        BackendUnavailable: a file is unreadable or no JSON object.
    """
    own, whole = (folder / name for name in PROCESSOR_FILES)
    if own.is_file():
        return read_json(own)
    image_processor = read_json(whole).get("image_processor") if whole.is_file() else None
    return image_processor if isinstance(image_processor, dict) else {}


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


def check_whole(folder: Path) -> None:
    """Refuse weights whose download was interrupted.

    Raises:
        BackendUnavailable: there is not a safetensors file, or one is missing or cut off.
    """
    files = weight_files(folder)
    if not files:
        raise BackendUnavailable(f"folder {folder} has no *.safetensors file; convert the weights to safetensors")
    for file in files:
        if not file.is_file():
            raise BackendUnavailable(f"{file.name}, which the index lists, is missing in {folder}; download it")
        _read_table(file)


def digest_of_files(folder: Path) -> str | None:
    """Identify a folder as versions up to 0.1.0 did, which recorded it in galleries: 12 hex digits.

    It depends on how the weights are laid out in files. None where those versions would have refused the folder.
    """
    digest = hashlib.sha256()
    config = read_json(folder / "config.json")
    digest.update(_canonical({key: value for key, value in config.items() if key not in _VOLATILE}))
    files = sorted(folder.glob("*.safetensors"))
    try:
        for file in files:
            _digest_file(file, digest)
    except BackendUnavailable:
        return None
    return digest.hexdigest()[:12] if files else None


def _digest_file(file: Path, digest: "hashlib._Hash") -> None:
    table, start = _read_table(file)
    digest.update(_canonical(table))
    span = max(0, file.stat().st_size - start - _SAMPLE_BYTES)
    with file.open("rb") as stream:
        for sample in range(_SAMPLES):
            stream.seek(start + span * sample // (_SAMPLES - 1))
            digest.update(stream.read(_SAMPLE_BYTES))


def _read_table(file: Path) -> tuple[dict[str, Any], int]:
    """The table of tensors of a safetensors file, and the offset of the first one."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        head = stream.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else size
        if length + 8 > size:
            raise BackendUnavailable(f"{file} is not a complete safetensors file ({size} bytes); download it again")
        try:
            table: dict[str, Any] = json.loads(stream.read(length))
        except ValueError as error:
            raise BackendUnavailable(f"{file} is not a safetensors file; download it again") from error
    table.pop("__metadata__", None)
    end = 8 + length + max((entry["data_offsets"][1] for entry in table.values()), default=0)
    if end > size:
        raise BackendUnavailable(
            f"{file} is not a complete safetensors file ({size} bytes of {end}); download it again"
        )
    return table, 8 + length


def _canonical(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
