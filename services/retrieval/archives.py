"""ZIP archives as uploads: what may hide in one is refused entry by entry, and nothing is ever unpacked to disk.

Entry names are read for their folder (the place) and shown; they are never used as paths.
"""

import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import BinaryIO

from contracts.images import AddFields
from core.errors import ImageTooLarge, InvalidImage, InvalidRequest
from core.results import Place
from services.retrieval.place_manifest import MANIFEST_NAME, ManifestRow, read_manifest
from services.retrieval.submissions import Submission, place_from_fields, refuse, shown_name

# Photos are compressed already. An entry that shrank more than this is a bomb, not a photo.
_MAX_RATIO = 200
_MAX_MANIFEST_BYTES = 16 * 1024 * 1024
_IGNORED_NAMES = frozenset({"thumbs.db", "desktop.ini"})


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """What an archive may be.

    Attributes:
        max_entries: files and folders.
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

    With a ``manifest.csv`` in it, its rows say what is taken and which place it shows; else each photo shows the
    place named by the form or, where the form names none, by the folder it lies in. What is refused is among the
    submissions, with its reason.

    Args:
        filename: of the archive.
        file: the archive, open as long as submissions are read.
        limits: for the archive.
        fields: of the form; they fill what folder or manifest leave open.
    """
    try:
        archive = zipfile.ZipFile(file)
        entries = archive.infolist()
        if len(entries) > limits.max_entries:
            raise InvalidRequest(f"too many entries: {len(entries):,}; at most {limits.max_entries:,} are accepted")
        unpacked = sum(entry.file_size for entry in entries)
        if unpacked > limits.max_total_bytes:
            raise ImageTooLarge(
                f"the archive unpacks to {unpacked:,} bytes; at most {limits.max_total_bytes:,} are accepted"
            )
        submissions = list(_submissions(archive, entries, limits, fields))
    except zipfile.BadZipFile as exc:
        return [refuse(shown_name(filename), InvalidImage(f"damaged ZIP archive: {exc}"))]
    except (InvalidRequest, InvalidImage) as exc:
        return [refuse(shown_name(filename), exc)]
    return submissions or [refuse(shown_name(filename), InvalidImage("the archive holds no files"))]


def _submissions(
    archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo], limits: ArchiveLimits, fields: AddFields
) -> Iterator[Submission]:
    files = [entry for entry in entries if not entry.is_dir() and not _is_ignored(entry.filename)]
    manifest = _find_manifest(files)
    if manifest is None:
        for entry in files:
            yield _submission(archive, entry, limits, _folder_place(entry.filename, fields))
        return
    root = PurePosixPath(manifest.filename).parent
    rows = read_manifest(_read(archive, manifest, _MAX_MANIFEST_BYTES), fields)
    files.remove(manifest)
    yield from _manifest_submissions(archive, files, root, rows, limits)


def _manifest_submissions(
    archive: zipfile.ZipFile,
    files: list[zipfile.ZipInfo],
    root: PurePosixPath,
    rows: list[ManifestRow],
    limits: ArchiveLimits,
) -> Iterator[Submission]:
    by_name = {entry.filename: entry for entry in files}
    for row in rows:
        entry = by_name.pop((root / row.file).as_posix(), None)
        if entry is None:
            reason = InvalidRequest(f"{MANIFEST_NAME} names {row.file!r}, which is not in the archive or named twice")
            yield refuse(shown_name(row.file), reason)
        elif isinstance(row.place, InvalidRequest):
            yield refuse(shown_name(row.file), row.place)
        else:
            yield _submission(archive, entry, limits, row.place)
    for name in by_name:
        yield refuse(shown_name(name), InvalidRequest(f"{name!r} is not listed in {MANIFEST_NAME}"))


def _submission(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limits: ArchiveLimits, place: Place | None
) -> Submission:
    name = shown_name(entry.filename)
    danger = _danger_of(entry)
    if danger is not None:
        return refuse(name, InvalidRequest(f"{entry.filename[:200]!r} {danger}"))
    return Submission(name, partial(_read, archive, entry, limits.max_photo_bytes), place)


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, max_bytes: int) -> bytes:
    if entry.file_size > max_bytes:
        raise ImageTooLarge(f"too many bytes: {entry.file_size:,}; at most {max_bytes:,} are accepted")
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
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or (path.parts and path.parts[0].endswith(":")):
        return "points outside the archive"
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "is a symbolic link"
    if entry.flag_bits & 0x1:
        return "is encrypted"
    if entry.file_size > _MAX_RATIO * max(entry.compress_size, 1024):
        return f"unpacks to {entry.file_size:,} bytes from {entry.compress_size:,}: no photo shrinks that much"
    return None


def _is_ignored(name: str) -> bool:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    hidden = any(part.startswith(".") and part != ".." for part in parts)
    return hidden or "__MACOSX" in parts or (bool(parts) and parts[-1].lower() in _IGNORED_NAMES)


def _find_manifest(files: list[zipfile.ZipInfo]) -> zipfile.ZipInfo | None:
    """The manifest nearest to the root: many tools pack everything into one top folder."""
    found = [entry for entry in files if PurePosixPath(entry.filename).name.lower() == MANIFEST_NAME]
    return min(found, key=lambda entry: len(PurePosixPath(entry.filename).parts), default=None)


def _folder_place(name: str, fields: AddFields) -> Place | None:
    path = PurePosixPath(name.replace("\\", "/"))
    folder = path.parent.name
    if not folder or fields.place_id or fields.place_name:
        return place_from_fields(fields, stem=path.stem)
    return place_from_fields(fields.model_copy(update={"place_id": folder, "place_name": folder}), stem=path.stem)
