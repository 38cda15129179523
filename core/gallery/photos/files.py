"""The photo store in the gallery's folder: a file for each original and each preview."""

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG
from uuid import uuid4

from core.errors import GalleryUnavailable
from core.gallery.audio import AUDIO_EXTENSIONS
from core.gallery.photos.port import OWNER_NAME, Claim
from core.imaging.decoding import EXTENSIONS

_EXTENSIONS = {**EXTENSIONS, **AUDIO_EXTENSIONS}
_UNFINISHED = ".unfinished-"
_SYNCS_AT_ONCE = 8
_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"


class PhotoFiles:
    """Writes photos so that they survive a power cut, and never shows a half-written one; see ``PhotoStore``."""

    def __init__(self, folder: Path) -> None:
        """Set the folder; nothing is read or written yet.

        Args:
            folder: the gallery's, absolute.
        """
        self._folder = folder
        self._originals = folder / "originals"
        self._previews = folder / "previews"

    def claim(self, claim: Claim) -> None:
        """Make the file that says whose photos these are, or read it."""
        owner = self._folder / OWNER_NAME

        def read_owner() -> str | None:
            return owner.read_text(errors="replace") if owner.exists() else None

        def has(content_hash: str, media_type: str) -> bool:
            return Path(self.original_path(content_hash, media_type)).is_file()

        def write() -> None:
            self._folder.mkdir(parents=True, exist_ok=True)
            draft = self._folder / f"{_UNFINISHED}{uuid4().hex}"
            _write(draft, claim.gallery_id.encode())
            with suppress(FileExistsError):
                os.link(draft, owner)  # unlike a rename it fails where there is one
            draft.unlink()
            sync_folder(self._folder)

        try:
            claim.settle(str(self._folder), read_owner, has, write)
        except OSError as exc:
            raise GalleryUnavailable(f"the gallery's folder {self._folder} cannot be used: {exc.strerror}") from exc

    def original_path(self, content_hash: str, media_type: str) -> str:
        """Say where the original lies; as text, since building a ``Path`` is half the cost of reading a row."""
        return f"{self._originals}{os.sep}{content_hash[:2]}{os.sep}{content_hash}{_EXTENSIONS[media_type]}"

    def preview_path(self, content_hash: str) -> str:
        """Say where the preview lies."""
        return f"{self._previews}{os.sep}{content_hash[:2]}{os.sep}{content_hash}.jpg"

    def fetch_original(self, content_hash: str, media_type: str, byte_size: int) -> Path | None:
        """The original; None where it is missing or not as long as it was."""
        path = Path(self.original_path(content_hash, media_type))
        return path if holds(path, byte_size) else None

    def fetch_preview(self, content_hash: str) -> Path | None:
        """The preview; None where it is missing or torn."""
        path = Path(self.preview_path(content_hash))
        return path if is_whole_preview(path) else None

    def has_originals(self) -> bool:
        """Whether any original is stored."""
        return any(self._originals.glob("??/*"))

    def store(self, contents: Iterable[tuple[str, bytes]]) -> None:
        """Write files; when this returns, they are on the disk under their names.

        Args:
            contents: where and what. The name tells the content, so a file already there is kept.
        """
        wanted = [(Path(path), data) for path, data in contents]
        # One that lies there already may be what a failed call left before its name was on the disk.
        self._write_all([photo for photo in wanted if not holds(photo[0], len(photo[1]))], {path for path, _ in wanted})

    def replace(self, contents: Iterable[tuple[str, bytes]]) -> None:
        """Write files as ``store`` does, in place of those already there."""
        wanted = [(Path(path), data) for path, data in contents]
        self._write_all(wanted, {path for path, _ in wanted})

    def _write_all(self, missing: Sequence[tuple[Path, bytes]], named: Collection[Path]) -> None:
        """Write the missing files, then put the names of all on the disk, and those of their folders."""
        if not named:
            return
        touched = {folder for path in named for folder in path.parents[:3]}  # aa, originals, the gallery's
        touched |= {folder for path, _ in missing for folder in _make_folder(path.parent)}
        # The disk serves many syncs together in little more time than one.
        with ThreadPoolExecutor(min(_SYNCS_AT_ONCE, len(touched) + len(missing)), "photo-files") as pool:
            for written in [pool.submit(_write, path, data) for path, data in missing]:
                written.result()
            for synced in [pool.submit(sync_folder, folder) for folder in touched]:
                synced.result()

    def remove(self, contents: Iterable[tuple[str, str]]) -> None:
        """Delete originals and their previews; files that are gone already are fine."""
        for content_hash, media_type in contents:
            Path(self.original_path(content_hash, media_type)).unlink(missing_ok=True)
            Path(self.preview_path(content_hash)).unlink(missing_ok=True)

    def names(self) -> Iterator[str]:
        """All files below the two folders, unfinished ones too."""
        for kind in (self._originals, self._previews):
            for folder in kind.glob("??"):
                for entry in os.scandir(folder):  # glob takes five times as long, a second at 100,000 images
                    yield f"{kind.name}/{folder.name}/{entry.name}"

    def remove_names(self, names: Collection[str]) -> None:
        """Delete some of those; files that are gone already are fine."""
        for name in names:
            (self._folder / name).unlink(missing_ok=True)


def hash_in(name: str) -> str:
    """The content hash that ``originals/ab/<sha256>.<ext>`` tells; empty for an unfinished file."""
    return name.rpartition("/")[2].partition(".")[0]


def holds(path: Path, byte_size: int) -> bool:
    """Say whether the file is there and as long as that."""
    try:
        found = path.stat()  # asked once: it may be deleted at any time
    except (FileNotFoundError, NotADirectoryError):
        return False
    return S_ISREG(found.st_mode) and found.st_size == byte_size


def is_whole_preview(path: Path) -> bool:
    """Say whether the file is there and begins and ends as a JPEG does."""
    if not path.is_file() or path.stat().st_size < len(_JPEG_START + _JPEG_END):
        return False
    with path.open("rb") as file:
        start = file.read(len(_JPEG_START))
        file.seek(-len(_JPEG_END), os.SEEK_END)
        return (start, file.read()) == (_JPEG_START, _JPEG_END)


def _write(path: Path, data: bytes) -> None:
    """Let the file appear under its name when all of it is on the disk; the name itself is not, yet."""
    unfinished = path.parent / f"{_UNFINISHED}{uuid4().hex}"
    try:
        with unfinished.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        # On a full disk it would be in everybody's way until the next start.
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise


def _make_folder(folder: Path) -> set[Path]:
    """Create ``folder`` and its parents; return the folders that got a new entry and need a sync."""
    created: set[Path] = set()
    missing = [folder, *folder.parents]
    for path in reversed([path for path in missing if not path.exists()]):
        path.mkdir(exist_ok=True)
        created.add(path.parent)
    return created


def sync_folder(folder: Path) -> None:
    """Put the folder's names on the disk: a file's own fsync does not cover its name."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
