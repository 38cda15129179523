"""A bounded folder of copies of photos that are stored elsewhere; several processes share it."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from time import time
from uuid import uuid4

from core.errors import GalleryUnavailable
from core.gallery.photos.files import PhotoFiles

_ROOM_MADE = 0.2  # of the limit, each time it is reached
_SAFE_S = 60.0  # what was asked for so lately may be about to be opened, and stays


class PhotoCache:
    """Keeps the most recently used copies. A copy gets its name when it is complete."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        """Set folder and limit; nothing is read or created yet.

        Args:
            folder: of copies alone; made when it is needed.
            max_bytes: of all copies together, but for those of the last minute.
        """
        self.folder = folder
        self._files = PhotoFiles(folder)
        self._max_bytes = max_bytes
        self._bytes: int | None = None  # about: other processes write too
        self._lock = Lock()

    def touch(self, path: Path) -> bool:
        """Say whether a copy lies there; it counts as used now."""
        try:
            os.utime(path)
        except FileNotFoundError:
            return False
        except OSError as exc:
            raise self._unusable(exc) from exc
        return True

    def put(self, path: Path, data: bytes) -> None:
        """Keep a copy.

        Raises:
            GalleryUnavailable: the folder cannot be written.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_name(f".unfinished-{uuid4().hex}")
            unfinished.write_bytes(data)
            unfinished.replace(path)
            self._make_room(len(data))
        except OSError as exc:
            raise self._unusable(exc) from exc

    def discard(self, paths: Iterable[Path]) -> None:
        """Forget copies, where there are any."""
        for path in paths:
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def _make_room(self, added: int) -> None:
        with self._lock:
            if self._bytes is not None and self._bytes + added <= self._max_bytes:
                self._bytes += added
                return
            copies = sorted(self._copies())
            self._bytes = sum(size for _, size, _ in copies)
            if self._bytes <= self._max_bytes:
                return
            wanted = self._max_bytes * (1 - _ROOM_MADE)
            for used, size, path in copies:
                if self._bytes <= wanted or used > time() - _SAFE_S:
                    return
                path.unlink(missing_ok=True)
                self._bytes -= size

    def _copies(self) -> Iterable[tuple[float, int, Path]]:
        """Time of last use, bytes, and path of each copy."""
        for name in self._files.names():
            path = self.folder / name
            with suppress(FileNotFoundError):  # another process makes room as well
                found = path.stat()
                yield found.st_mtime, found.st_size, path

    def _unusable(self, exc: OSError) -> GalleryUnavailable:
        reason = exc.strerror or type(exc).__name__
        return GalleryUnavailable(f"the folder for copies of photos, {self.folder}, cannot be used: {reason}")
