"""Models from ModelScope (modelscope.cn) through its plain HTTP interface: the cached copy, else a download.

Settings and the layout of the cache are those of ModelScope's own library, so that copies it made are used too:
``MODELSCOPE_CACHE`` (a folder), ``MODELSCOPE_DOMAIN`` (a host, or a URL) and ``MODELSCOPE_API_TOKEN``. With
``HF_HUB_OFFLINE=1`` nobody is asked here either.
"""

import fcntl
import json
import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

from core.errors import BackendUnavailable
from core.runtime.downloads import (
    FETCHED,
    FROM_A_FOLDER,
    MODELSCOPE,
    Download,
    cannot_be_loaded,
    check_sha256,
    downloading,
    first_line,
)
from core.runtime.keys import read_key
from core.runtime.model_files import has_files, has_weights

_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
_ID = re.compile(f"{_NAME}/{_NAME}")
_MAIN = "master"
_PATIENCE_S = 15.0
"""How long the hub may send nothing."""
_LONGEST_LISTING = 8 << 20
_CHUNK = 1 << 20


logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _File:
    """A file as the hub lists it; some have no SHA-256."""

    name: str
    size: int
    sha256: str | None


def fetch(model: str, alternative: str, revision: str | None, needs: tuple[tuple[str, ...], ...]) -> Path:
    """Give the folder of a model; see ``core.runtime.model_hub.fetch``.

    Raises:
        BackendUnavailable: the model is not cached and cannot be fetched.
    """
    if not _ID.fullmatch(model):
        raise _unavailable(model, "it is not an id of ModelScope (owner/name)", alternative)
    folder = _folder_of(model, revision)
    if has_weights(folder) and has_files(folder, needs):
        return folder
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        raise _unavailable(model, f"{folder} has no complete copy, and HF_HUB_OFFLINE forbids to ask", alternative)
    try:
        files = _list_files(model, revision or _MAIN)
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            missing = [file for file in files if not (folder / file.name).is_file()]
            count = Download(MODELSCOPE + model, sum(file.size for file in files), lambda: _count_bytes(folder, files))
            with downloading(count, folder):
                for file in missing:
                    _download(model, revision or _MAIN, file, folder)
    except (OSError, HTTPException, ValueError) as error:
        if has_weights(folder):
            logger.warning("model %s: ModelScope does not answer (%s); using the cached copy", model, _cause(error))
            return folder
        raise _unavailable(model, _cause(error), alternative) from error
    return folder


def _unavailable(model: str, fact: str, alternative: str) -> BackendUnavailable:
    settings = "set MODELSCOPE_API_TOKEN if the model is not public, or MODELSCOPE_DOMAIN to another site"
    return BackendUnavailable(
        cannot_be_loaded(
            MODELSCOPE + model,
            fact,
            FROM_A_FOLDER,
            f"{settings}, or take {model} from Hugging Face, under its licence",
            alternative,
        )
    )


def _folder_of(model: str, revision: str | None) -> Path:
    cache = Path(os.environ.get("MODELSCOPE_CACHE") or "~/.cache/modelscope/hub").expanduser()
    owner, name = model.split("/")
    folder = cache / "models" / owner / name.replace(".", "___")
    return folder if revision is None else folder.with_name(f"{folder.name}@{quote(revision, safe='')}")


def _list_files(model: str, revision: str) -> list[_File]:
    """List the files that are fetched, the smallest first: configuration and index come before the weights."""
    query = urlencode({"Revision": revision, "Recursive": "false"})
    with _ask(f"/api/v1/models/{model}/repo/files?{query}") as reply:
        listing: Any = json.loads(reply.read(_LONGEST_LISTING))
    try:
        entries = [entry for entry in listing["Data"]["Files"] if entry["Type"] == "blob"]
        files = [_File(str(entry["Path"]), int(entry["Size"]), entry.get("Sha256") or None) for entry in entries]
    except (KeyError, TypeError) as error:
        said = listing.get("Message") if isinstance(listing, dict) else None
        raise ValueError(str(said or "its list of files cannot be read")) from error
    fetched = [
        file for file in files if "/" not in file.name and any(fnmatch(file.name, pattern) for pattern in FETCHED)
    ]
    if not any(file.name == "config.json" for file in fetched):
        raise ValueError("it has no config.json, so it is not a transformers model")
    return sorted(fetched, key=lambda file: file.size)


def _download(model: str, revision: str, file: _File, folder: Path) -> None:
    """Download a file, from where an earlier attempt ended."""
    query = urlencode({"Revision": revision, "FilePath": file.name})
    part = _part_of(folder, file)
    with part.open("ab") as stream:
        begun = stream.tell()
        if begun > file.size:
            begun = stream.truncate(0)
        if begun < file.size:
            headers = {"Range": f"bytes={begun}-"} if begun else {}
            with _ask(f"/api/v1/models/{model}/repo?{query}", headers) as reply:
                if begun and reply.status != 206:
                    stream.truncate(0)
                while chunk := reply.read1(_CHUNK):
                    stream.write(chunk)
    arrived = part.stat().st_size
    if arrived != file.size:
        raise OSError(f"{file.name} arrived in part: {arrived} of {file.size} bytes")
    if file.sha256 is not None:
        check_sha256(part, file.sha256)
    part.replace(folder / file.name)


def _part_of(folder: Path, file: _File) -> Path:
    return folder / f".{file.name}.part"


def _count_bytes(folder: Path, files: Sequence[_File]) -> int:
    total = 0
    for file in files:
        for path in (folder / file.name, _part_of(folder, file)):
            try:
                total += path.stat().st_size
                break
            except FileNotFoundError:
                continue
    return total


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process at a time download into a folder."""
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _ask(path: str, headers: dict[str, str] | None = None) -> HTTPResponse:
    domain = os.environ.get("MODELSCOPE_DOMAIN") or "www.modelscope.cn"
    address = domain if "://" in domain else f"https://{domain}"
    request = Request(address.rstrip("/") + path, headers={"User-Agent": "semantic-image-matcher"} | (headers or {}))
    token = read_key("MODELSCOPE_API_TOKEN", os.environ.get("MODELSCOPE_API_TOKEN") or None)
    if token is not None:
        # Not for the storage to which large files are redirected.
        request.add_unredirected_header("Cookie", f"m_session_id={token}")
    try:
        reply: HTTPResponse = urlopen(request, timeout=_PATIENCE_S)
    except HTTPError as refusal:
        refusal.close()  # it is a reply, with a connection of its own
        raise
    return reply


def _cause(error: Exception) -> str:
    """Why ModelScope does not hand a model out, as one clause."""
    if isinstance(error, HTTPError):
        if error.code in (401, 403):
            return "ModelScope refuses access to it"
        return "ModelScope has no such model or revision" if error.code == 404 else f"ModelScope answers {error}"
    if isinstance(error, json.JSONDecodeError):
        return "the address answers as something other than ModelScope; check MODELSCOPE_DOMAIN and the network"
    return first_line(error)
