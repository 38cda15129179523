"""Downloads of models: what may be fetched, how far it is, whether it fits the disk, and whether it arrived whole."""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from core.errors import BackendUnavailable

FETCHED = ("*.json", "*.txt", "*.jinja", "*.safetensors")
"""Names of the files that are downloaded: no pickles and no code."""

MODELSCOPE = "modelscope:"
"""What an id of ModelScope begins with in settings."""

FROM_A_FOLDER = "put its files (config.json, *.safetensors) into a folder and give that path"
"""What helps whatever the hub says."""

_NUMBERS = {3: "Three", 4: "Four"}


@dataclass(frozen=True, slots=True)
class Download:
    """A model that is being downloaded.

    Attributes:
        model: its id.
        total_bytes: of its files.
        count: returns how many of these bytes are on the disk.
    """

    model: str
    total_bytes: int
    count: Callable[[], int]

    @property
    def done_bytes(self) -> int:
        """Bytes that are on the disk."""
        return max(0, min(self.total_bytes, self.count()))

    def __str__(self) -> str:
        return f"{_gigabytes(self.done_bytes)} of {_gigabytes(self.total_bytes)} of model {self.model} are downloaded"


class Downloads:
    """What a process downloads at the moment.

    Attributes:
        current: the download that runs, if any.
    """

    def __init__(self) -> None:
        """Start without a download."""
        self.current: Download | None = None

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Show the downloads of the block, in this thread."""
        token = _watched.set(self)
        try:
            yield
        finally:
            _watched.reset(token)


_watched: ContextVar[Downloads | None] = ContextVar("watched", default=None)


@contextmanager
def downloading(download: Download, folder: Path) -> Iterator[None]:
    """Show a download while the block runs.

    Args:
        download: shown to whoever watches.
        folder: into which it goes.

    Raises:
        BackendUnavailable: it does not fit the disk.
    """
    missing, free = download.total_bytes - download.done_bytes, shutil.disk_usage(folder).free
    if missing > free:
        raise BackendUnavailable(
            f"model {download.model} cannot be downloaded: it needs {_gigabytes(missing)} more, and "
            f"{_gigabytes(free)} are free in {folder}; free the space, or put the cache of models on another disk"
        )
    downloads = _watched.get() or Downloads()
    downloads.current = download
    try:
        yield
    finally:
        downloads.current = None


def check_sha256(file: Path, expected: str) -> None:
    """Delete a file whose content is not what the hub announced.

    Raises:
        BackendUnavailable: it was deleted.
    """
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != expected.lower():
        file.unlink()
        raise BackendUnavailable(
            f"{file.name} arrived damaged: its SHA-256 is {digest}, the hub's is {expected}; it was deleted and has to "
            "be downloaded again"
        )


def cannot_be_loaded(model: str, fact: str, *ways: str) -> str:
    """Say that a model cannot be loaded, why, and what to do: three or four ways, the best first."""
    numbered = "; ".join(f"({number}) {way}" for number, way in enumerate(ways, start=1))
    return f"model {model} cannot be loaded: {fact}. {_NUMBERS[len(ways)]} solutions: {numbered}"


def first_line(error: Exception) -> str:
    """Return what an error says, or its name, as one clause."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 5e7 else f"{count / 1e6:.1f} MB"
