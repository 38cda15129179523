"""Models from Hugging Face: the cached copy where it is complete, else a download.

Where the cache lies, which mirror is asked and with which token is the hub library's own business (HF_HOME,
HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE).
"""

import logging
import re
from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import HfApi, snapshot_download, try_to_load_from_cache

# HTTPError is the root error of its HTTP library; core imports no HTTP itself.
from huggingface_hub.errors import (  # type: ignore[attr-defined]
    DryRunError,
    GatedRepoError,
    HfHubHTTPError,
    HTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

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
from core.runtime.model_files import has_files, has_weights

_PATIENCE_S = 15.0
"""How long the hub may take for its first answer. The library itself would wait for ever."""

_PENDING = ("awaiting", "pending")
_REJECTED = ("rejected",)
_SHA256 = re.compile(r"[0-9a-f]{64}")

logger = logging.getLogger(__name__)


def fetch(model: str, alternative: str, revision: str | None, needs: tuple[tuple[str, ...], ...]) -> Path:
    """Give the folder of a hub model.

    A cached copy that is complete is used as it is: what a gallery was made with does not change because its owner
    edits the hub's main branch, and a start needs no network. To take a newer one, name its revision.

    Args:
        model: hub id.
        alternative: see ``resolve_model_folder``, as are the next two.
        revision: branch, tag or commit.
        needs: files beside configuration and weights.

    Raises:
        BackendUnavailable: the model is not cached and cannot be fetched.
    """
    cached = _cached_snapshot(model, revision)
    if cached is not None and has_files(cached, needs):
        return cached
    try:
        HfApi().model_info(model, revision=revision, timeout=_PATIENCE_S)
        return _download(model, revision)
    except Exception as error:
        if not isinstance(error, HTTPError | OSError | ValueError):
            raise
        if isinstance(error, DryRunError) and isinstance(error.__cause__, Exception):
            error = error.__cause__  # what the hub said
        if cached is not None:
            logger.warning("model %s: the hub does not answer (%s); using the cached copy", model, _cause(error))
            return cached
        elsewhere = () if isinstance(error, OfflineModeIsEnabled | ValueError) else (_elsewhere(model),)
        raise BackendUnavailable(ways_out(model, _cause(error), alternative, *elsewhere)) from error


def ways_out(model: str, fact: str, alternative: str, *first: str) -> str:
    """Say that a model cannot be loaded, why, and what to do; ``first`` before all else."""
    token = "accept the licence on the model's page and set HF_TOKEN, or point HF_ENDPOINT at a mirror you may use"
    return cannot_be_loaded(model, fact, *first, FROM_A_FOLDER, token, alternative)


def _elsewhere(model: str) -> str:
    return (
        f"take it from ModelScope, if it has a copy: name the model {MODELSCOPE}{model}; the model's licence holds for "
        "that copy too, so read it there"
    )


def _download(model: str, revision: str | None) -> Path:
    """Download what is missing, and check what arrived."""
    planned = snapshot_download(model, revision=revision, allow_patterns=list(FETCHED), dry_run=True)
    if not planned:
        raise ValueError("it has none of the files of a transformers model")
    arriving = [file.filename for file in planned if file.will_download]
    total = sum(file.file_size or 0 for file in planned)
    # A snapshot links to blobs, which other snapshots use as well.
    snapshots = next(folder for folder in Path(planned[0].local_path).parents if folder.name == "snapshots")
    blobs = snapshots.parent / "blobs"
    blobs.mkdir(parents=True, exist_ok=True)
    complete = sum(file.stat().st_size for file in blobs.iterdir() if file.suffix != ".incomplete")
    others = complete - sum(file.file_size or 0 for file in planned if not file.will_download)
    with downloading(Download(model, total, lambda: _size_of(blobs) - others), blobs):
        folder = Path(snapshot_download(model, revision=revision, allow_patterns=list(FETCHED)))
        _check([(folder / name).resolve() for name in arriving])
    return folder


def _check(blobs: Sequence[Path]) -> None:
    """Delete all files that arrived damaged, as another attempt fetches what is missing and checks nothing else.

    Raises:
        BackendUnavailable: one was deleted.
    """
    damaged: list[BackendUnavailable] = []
    for blob in blobs:
        if _SHA256.fullmatch(blob.name):  # by which the hub names large files
            try:
                check_sha256(blob, blob.name)
            except BackendUnavailable as failure:
                damaged.append(failure)
    if damaged:
        raise damaged[0]


def _size_of(blobs: Path) -> int:
    total = 0
    for file in blobs.iterdir():
        try:
            total += file.stat().st_size
        except FileNotFoundError:  # renamed, as it is complete
            continue
    return total


def _cached_snapshot(model: str, revision: str | None) -> Path | None:
    """The cached copy, if it has its configuration and all its weights."""
    try:
        config = try_to_load_from_cache(model, "config.json", revision=revision)
    except ValueError:  # a malformed id; asking the hub says so
        return None
    if not isinstance(config, str):
        return None
    folder = Path(config).parent
    return folder if has_weights(folder) else None


def _cause(error: Exception) -> str:
    """Why the hub does not hand a model out, as one clause."""
    words = str(getattr(error, "server_message", None) or "").lower()
    if isinstance(error, GatedRepoError):
        if any(word in words for word in _REJECTED):
            return "the request for access was rejected by its authors"
        if any(word in words for word in _PENDING):
            return "the request for access is still pending"
        return "its licence has not been accepted here"
    if isinstance(error, RevisionNotFoundError):
        return "the hub has the model but not this revision"
    if isinstance(error, HfHubHTTPError) and "credentials" in words:
        return "the hub refuses the token in HF_TOKEN"
    if isinstance(error, RepositoryNotFoundError):
        return "the hub has no such model, or shows it only to accounts with access"
    if isinstance(error, ValueError) and "Expecting value" in str(error):
        return "the address answers as something other than a model hub; check HF_ENDPOINT and the network's login page"
    return first_line(error)
