"""ZIP archives as uploads: what may hide in one is refused entry by entry, and nothing is ever unpacked to disk.

Entry names are read for their folder (the place) and shown; they are never used as paths. Folders and manifests mean
what they mean to ``scripts/build_database.py``; a single folder around everything, as many tools pack it, is nothing.
"""

import stat
import struct
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import BinaryIO

from contracts.images import AddFields
from core.building.labels import MANIFEST, ManifestRow, parse_manifest, place_of_path
from core.errors import ImageTooLarge, InvalidImage, InvalidRequest
from core.results import Place
from services.retrieval.uploads.submissions import Submission, place_from_fields, refuse, shown_name

# Photos are compressed already. An entry that shrank more than this is a bomb, not a photo.
_MAX_RATIO = 200
_MAX_MANIFEST_BYTES = 16 * 1024 * 1024
_ENTRY_SIGNATURE = b"PK\1\2"
_MAX_END_BYTES = 128 * 1024  # of an archive's end, with the longest comment
_IGNORED_NAMES = frozenset({"thumbs.db", "desktop.ini"})
# What zipfile raises on a damaged directory: besides its own error, those of an unknown version, of a name that is no
# UTF-8, and of numbers that are no offsets.
_DAMAGE = (zipfile.BadZipFile, NotImplementedError, ValueError, LookupError, ArithmeticError, struct.error)


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """What an archive may be.

    Attributes:
        max_entries: files and folders; a manifest may not have more rows either.
        max_total_bytes: of everything unpacked.
        max_photo_bytes: of one photo unpacked.
    """

    max_entries: int
    max_total_bytes: int
    max_photo_bytes: int


def is_archive(file: BinaryIO) -> bool:
    """Whether ``file`` starts like a ZIP archive; it is left at its beginning."""
    start = file.read(4)
    file.seek(0)
    return start in {b"PK\3\4", b"PK\5\6"}


def submit_archive(filename: str | None, file: BinaryIO, limits: ArchiveLimits, fields: AddFields) -> list[Submission]:
    """Take the photos of an archive.

    With a ``manifest.csv`` in it, its reference rows say what is taken and which place it shows; else each photo shows
    the place named by the form or, where the form names none, by its folder. What is refused is among the submissions,
    with its reason.

    Args:
        filename: of the archive.
        file: the archive, open as long as submissions are read.
        limits: for the archive.
        fields: of the form; they say what photos show whose place the manifest leaves open.
    """
    try:
        archive = _open(file, limits.max_entries)
        entries = archive.infolist()
        unpacked = sum(entry.file_size for entry in entries)
        if unpacked > limits.max_total_bytes:
            raise ImageTooLarge(
                f"the archive unpacks to {unpacked:,} bytes; at most {limits.max_total_bytes:,} are accepted"
            )
        submissions = list(_submissions(archive, entries, limits, fields))
    except (InvalidRequest, InvalidImage) as exc:
        return [refuse(shown_name(filename), exc)]
    return submissions or [refuse(shown_name(filename), InvalidImage("the archive holds no files"))]


class _GuardedDirectory:
    """A file whose directory of entries zipfile may only read if it is not too long.

    zipfile reads it in one piece and makes an object of every entry, before anybody can ask how many there are.
    """

    def __init__(self, file: BinaryIO, max_entries: int) -> None:
        self._file = file
        self._max_entries = max_entries
        self.is_open = False
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        """Read.

        Raises:
            InvalidRequest: it is the directory, and too long.
        """
        # Nobody's names are a kilobyte each; a count or length that lies is caught by counting.
        if not self.is_open and size > self._max_entries * 1024 + _MAX_END_BYTES:
            raise self._refusal(f"a directory of {size:,} bytes")
        data = self._file.read(size)
        entries = 0 if self.is_open else data.count(_ENTRY_SIGNATURE)
        if entries > self._max_entries:
            raise self._refusal(f"{entries:,}")
        return data

    def _refusal(self, what: str) -> InvalidRequest:
        return InvalidRequest(f"too many entries: {what}; at most {self._max_entries:,} are accepted")


def _open(file: BinaryIO, max_entries: int) -> zipfile.ZipFile:
    guarded = _GuardedDirectory(file, max_entries)
    try:
        archive = zipfile.ZipFile(guarded)
        guarded.is_open = True
        return archive
    except _DAMAGE as exc:
        raise InvalidRequest(
            f"the ZIP archive is damaged or uses a format that is not supported: {str(exc)[:200]}; pack it again"
        ) from exc


def _submissions(
    archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo], limits: ArchiveLimits, fields: AddFields
) -> Iterator[Submission]:
    # Not ZipInfo.is_dir, which fails on an empty name before Python 3.12.
    files = [entry for entry in entries if not entry.filename.endswith("/") and not _is_ignored(entry.filename)]
    named = [entry for entry in files if _path(entry).name]
    for _ in range(len(files) - len(named)):
        yield refuse(shown_name(None), InvalidRequest("an entry of the archive has no name"))
    files = named
    top = _wrapping_folder(files)
    manifest = next((entry for entry in files if _inside(entry, top).as_posix().lower() == MANIFEST), None)
    if manifest is None:
        for entry in files:
            yield _submission(archive, entry, limits, _folder_place(_inside(entry, top), fields))
        return
    files.remove(manifest)
    danger = _danger_of(manifest)
    if danger is not None:
        raise InvalidRequest(f"{manifest.filename[:200]!r} {danger}")
    rows = parse_manifest(_read(archive, manifest, _MAX_MANIFEST_BYTES), max_rows=limits.max_entries)
    by_name = {_inside(entry, top).as_posix(): entry for entry in files}
    yield from _manifest_submissions(archive, by_name, rows, limits, fields)


def _manifest_submissions(
    archive: zipfile.ZipFile,
    by_name: dict[str, zipfile.ZipInfo],
    rows: Sequence[ManifestRow],
    limits: ArchiveLimits,
    fields: AddFields,
) -> Iterator[Submission]:
    for row in rows:
        entry = by_name.pop(row.file, None)
        if row.role == "query":
            continue  # a photo to ask with, not to keep
        if entry is None:
            reason = f"{MANIFEST} names {row.file[:200]!r}, which is not in the archive, or names it twice"
            yield refuse(shown_name(row.file), InvalidRequest(reason))
        else:
            place = row.place or place_from_fields(fields, stem=PurePosixPath(row.file).stem)
            yield _submission(archive, entry, limits, place)
    for name in by_name:
        yield refuse(shown_name(name), InvalidRequest(f"{name[:200]!r} is not listed in {MANIFEST}"))


def _submission(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limits: ArchiveLimits, place: Place | None
) -> Submission:
    name = shown_name(entry.filename)
    danger = _danger_of(entry)
    if danger is not None:
        return refuse(name, InvalidRequest(f"{entry.filename[:200]!r} {danger}"))
    byte_size = min(entry.file_size, limits.max_photo_bytes)
    return Submission(name, partial(_read, archive, entry, limits.max_photo_bytes), place, byte_size)


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, max_bytes: int) -> bytes:
    if entry.file_size > max_bytes:
        name = entry.filename[:200]
        raise ImageTooLarge(f"too many bytes in {name!r}: {entry.file_size:,}; at most {max_bytes:,} are accepted")
    try:
        with archive.open(entry) as file:
            # The declared size may lie; what is read is bounded all the same.
            data = file.read(max_bytes + 1)
    # Damaged entries fail inside the decompressors as well, each in its own way.
    except Exception as exc:
        raise InvalidImage(f"{entry.filename[:200]!r} cannot be unpacked: {type(exc).__name__}") from exc
    if len(data) > max_bytes:
        raise ImageTooLarge(f"too many bytes: more than {max_bytes:,}")
    return data


def _danger_of(entry: zipfile.ZipInfo) -> str | None:
    path = _path(entry)
    if path.is_absolute() or ".." in path.parts or (path.parts and path.parts[0].endswith(":")):
        return "points outside the archive"
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "is a symbolic link"
    if entry.flag_bits & 0x1:
        return "is encrypted"
    if entry.file_size > _MAX_RATIO * max(entry.compress_size, 1024):
        return (
            f"unpacks to {entry.file_size:,} bytes from {entry.compress_size:,}: no photo or manifest shrinks that much"
        )
    return None


def _is_ignored(name: str) -> bool:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    hidden = any(part.startswith(".") and part != ".." for part in parts)
    return hidden or "__MACOSX" in parts or (bool(parts) and parts[-1].lower() in _IGNORED_NAMES)


def _wrapping_folder(files: Sequence[zipfile.ZipInfo]) -> str | None:
    """The one folder around everything, where there is one with folders or a manifest of its own inside."""
    paths = [_path(entry) for entry in files]
    tops = {path.parts[0] for path in paths if len(path.parts) > 1}
    inside = [path.parts[1:] for path in paths if len(path.parts) > 1]
    if len(tops) != 1 or len(inside) < len(paths):
        return None
    has_more = any(len(parts) > 1 or parts[0].lower() == MANIFEST for parts in inside)
    return tops.pop() if has_more else None


def _inside(entry: zipfile.ZipInfo, top: str | None) -> PurePosixPath:
    path = _path(entry)
    return path.relative_to(top) if top is not None else path


def _path(entry: zipfile.ZipInfo) -> PurePosixPath:
    return PurePosixPath(entry.filename.replace("\\", "/"))


def _folder_place(path: PurePosixPath, fields: AddFields) -> Place | None:
    folder = place_of_path(path)
    if folder is None or fields.place_id or fields.place_name:
        return place_from_fields(fields, stem=path.stem)
    named = fields.model_copy(update={"place_id": folder.place_id, "place_name": folder.name})
    return place_from_fields(named, stem=path.stem)
