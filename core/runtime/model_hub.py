"""Models from a hub: the cached copy where it is complete, else a download.

Where the cache lies, which mirror is asked and with which token is the hub library's own business (HF_HOME,
HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE).
"""

import logging
from pathlib import Path

from huggingface_hub import HfApi, snapshot_download, try_to_load_from_cache

# HTTPError is the root error of its HTTP library; core imports no HTTP itself.
from huggingface_hub.errors import (  # type: ignore[attr-defined]
    GatedRepoError,
    HfHubHTTPError,
    HTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from core.errors import BackendUnavailable
from core.runtime.model_files import weight_files

_FETCHED = ["*.json", "*.txt", "*.jinja", "*.safetensors"]
_PATIENCE_S = 15.0
"""How long the hub may take for its first answer. The library itself would wait for ever."""

_PENDING = ("awaiting", "pending")
_REJECTED = ("rejected",)

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
    if cached is not None and all(any((cached / name).is_file() for name in names) for names in needs):
        return cached
    try:
        HfApi().model_info(model, revision=revision, timeout=_PATIENCE_S)
        return Path(snapshot_download(model, revision=revision, allow_patterns=_FETCHED))
    except Exception as error:
        if not isinstance(error, HTTPError | OSError | ValueError):
            raise
        if cached is not None:
            logger.warning("model %s: the hub does not answer (%s); using the cached copy", model, _cause(error))
            return cached
        raise BackendUnavailable(ways_out(model, _cause(error), alternative)) from error


def ways_out(model: str, fact: str, alternative: str) -> str:
    """Say that a model cannot be loaded, why, and what to do."""
    return (
        f"model {model} cannot be loaded: {fact}. Three solutions: "
        "(1) put its files (config.json, *.safetensors) into a folder and give that path; "
        "(2) accept the licence on the model's page and set HF_TOKEN, or point HF_ENDPOINT at a mirror you may use; "
        f"(3) {alternative}"
    )


def _cached_snapshot(model: str, revision: str | None) -> Path | None:
    """The cached copy, if it has its configuration and all its weights."""
    try:
        config = try_to_load_from_cache(model, "config.json", revision=revision)
    except ValueError:  # a malformed id; asking the hub says so
        return None
    if not isinstance(config, str):
        return None
    folder = Path(config).parent
    weights = weight_files(folder)
    return folder if weights and all(file.is_file() for file in weights) else None


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
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
