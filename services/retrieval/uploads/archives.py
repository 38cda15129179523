"""ZIP archives as uploads. Every entry is checked by itself, and nothing is unpacked to disk.

Entry names are shown and give places their names; they are never used as paths. ``core.building.upload_plan`` decides
what folders and manifests mean.
"""

import stat
import struct
import zipfile
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath
from typing import BinaryIO

from contracts.images import AddFields
from core.building.file_names import RawName, decode_names, is_clutter, is_manifest, is_photo_name
from core.building.manifests import MANIFEST
from core.building.recordings import RecordingFile
from core.building.upload_plan import PlannedFile, encoding_note, find_manifests, plan_upload
from core.errors import ImageTooLarge, InvalidImage, InvalidRequest
from core.imaging.headers import sniff_media_type
from services.retrieval.uploads.submissions import (
    Submission,
    Upload,
    names_place,
    place_in_folder,
    place_of_row,
    refuse,
    shown_name,
)

# Photos are compressed already. An entry that shrank more than this is a bomb, not a photo.
_MAX_RATIO = 200
_MAX_MANIFEST_BYTES = 16 * 1024 * 1024
_ENTRY_SIGNATURE = b"PK\1\2"
_MAX_END_BYTES = 128 * 1024  # of an archive's end, with the longest comment
# What zipfile raises on a damaged directory: besides its own error, those of an unknown version, of a name that is no
# UTF-8, and of numbers that are no offsets.
_DAMAGE = (zipfile.BadZipFile, NotImplementedError, ValueError, LookupError, ArithmeticError, struct.error)
_READ_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA})
_OTHER_METHODS = {9: "Deflate64", 93: "Zstandard", 95: "XZ", 96: "JPEG recompression", 98: "PPMd", 99: "AES encryption"}


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """Limits of an archive.

    Attributes:
        max_entries: most files and folders, and most rows of a manifest.
        max_total_bytes: of all entries unpacked.
        max_photo_bytes: of one photo unpacked.
        max_audio_bytes: of one recording unpacked.
    """

    max_entries: int
    max_total_bytes: int
    max_photo_bytes: int
    max_audio_bytes: int


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file of an archive, and its path as text."""

    info: zipfile.ZipInfo
    path: str


def is_archive(file: BinaryIO) -> bool:
    """Tell whether ``file`` starts like a ZIP archive; the file is left at its beginning."""
    start = file.read(4)
    file.seek(0)
    return start in {b"PK\3\4", b"PK\5\6"}


def submit_archive(filename: str | None, file: BinaryIO, limits: ArchiveLimits, fields: AddFields) -> Upload:
    """Make submissions of the photos of an archive.

    If it has a ``manifest.csv``, the reference rows select the photos and name their places; one with nothing but
    recordings beside it corrects existing places. Without a manifest, a photo shows the place named by the form or, if
    the form names none, by its folder. Refused files are among the submissions, with the reason.

    Args:
        filename: of the archive.
        file: the archive; must stay open until all submissions are read.
        limits: of the archive.
        fields: of the form; used for photos whose place the manifest does not name.
    """
    name = shown_name(filename)
    try:
        archive = _open(file, limits.max_entries)
        unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > limits.max_total_bytes:
            raise ImageTooLarge(
                f"the archive unpacks to {unpacked:,} bytes; at most {limits.max_total_bytes:,} are accepted"
            )
        upload = _plan(archive, PurePosixPath(name).stem, limits, fields)
    except (InvalidRequest, InvalidImage) as exc:
        return Upload([refuse(name, exc)])
    if not (upload.submissions or upload.corrections):
        upload.submissions.append(refuse(name, InvalidImage("the archive holds no files")))
    return upload


class _GuardedDirectory:
    """A file that refuses to let zipfile read a too long directory of entries.

    zipfile reads the directory at once and makes an object of every entry, before the number of entries can be checked.
    """

    def __init__(self, file: BinaryIO, max_entries: int) -> None:
        self._file = file
        self._max_entries = max_entries
        self.is_open = False
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        """Read up to ``size`` bytes.

        Raises:
            InvalidRequest: they are the directory, and it has too many entries.
        """
        # An entry takes less than a kilobyte; entries are counted, because the declared count or length may be wrong.
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


def raw_name(entry: zipfile.ZipInfo) -> RawName:
    """Return the bytes of an entry's name, which zipfile has decoded in one of two ways."""
    is_utf8 = entry.flag_bits & 0x800
    return RawName(entry.orig_filename.encode("utf-8" if is_utf8 else "cp437"), entry.flag_bits, entry.extra)


def _plan(archive: zipfile.ZipFile, root_name: str, limits: ArchiveLimits, fields: AddFields) -> Upload:
    upload = Upload()
    infos = archive.infolist()
    decoded = decode_names([raw_name(info) for info in infos])
    if decoded.guessed is not None:
        upload.notes.append(encoding_note("names_guessed", decoded.guessed))
    entries = []
    for info, path in zip(infos, decoded.names, strict=True):
        name = path.partition("\0")[0]
        if name.endswith("/") or is_clutter(name):
            continue
        danger = _danger_of(info, name)
        if not PurePosixPath(name).name:
            upload.submissions.append(refuse(shown_name(None), InvalidRequest("an entry of the archive has no name")))
        elif danger is None:
            entries.append(_Entry(info, name))
        elif is_manifest(name):
            raise InvalidRequest(f"{name[:200]!r} {danger}")
        else:
            upload.submissions.append(refuse(shown_name(name), InvalidRequest(f"{name[:200]!r} {danger}")))

    paths = [entry.path for entry in entries]
    manifests = {number: _read(archive, entries[number], _MAX_MANIFEST_BYTES) for number in find_manifests(paths)}
    plan = plan_upload(
        paths,
        photos={number for number, entry in enumerate(entries) if not manifests and _is_photo(archive, entry)},
        grouping=fields.grouping,
        manifests=manifests,
        root_name=root_name,
        max_rows=limits.max_entries,
    )
    upload.notes += plan.notes
    upload.taken.append("form" if plan.taken != "manifest" and names_place(fields) else plan.taken)
    recordings = {
        path: RecordingFile(partial(_read, archive, entries[number], limits.max_audio_bytes))
        for path, number in plan.recordings.items()
    }
    if recordings and all(file.kind in ("manifest", "recording", "clutter") for file in plan.files):
        upload.corrections = [(row, recordings) for row, _ in plan.missing if row.role != "query"]
        return upload
    # By number, because several entries may have the same name.
    taken = [
        (file, replace(_submission(archive, entry, file, limits, fields), recordings=recordings))
        for entry, file in zip(entries, plan.files, strict=True)
        if file.kind in ("photo", "other") and not (file.row and file.row.role == "query")
    ]
    if manifests:
        listed = [(file.row, submission) for file, submission in taken if file.row is not None]
        listed += [
            (row, refuse(shown_name(row.file), InvalidRequest(reason)))
            for row, reason in plan.missing
            if row.role != "query"
        ]
        upload.submissions += [submission for _, submission in sorted(listed, key=lambda pair: pair[0].line)]
    else:
        upload.submissions += [submission for _, submission in taken]
    for file in plan.files:
        if file.kind == "unlisted":
            reason = f"{file.path[:200]!r} is not listed in {MANIFEST}"
            upload.submissions.append(refuse(shown_name(file.path), InvalidRequest(reason)))
    return upload


def _submission(
    archive: zipfile.ZipFile, entry: _Entry, planned: PlannedFile, limits: ArchiveLimits, fields: AddFields
) -> Submission:
    stem = PurePosixPath(planned.path).stem
    row = planned.row
    return Submission(
        shown_name(planned.path),
        partial(_read, archive, entry, limits.max_photo_bytes),
        place_of_row(fields, row) if row is not None else place_in_folder(fields, planned.place, stem=stem),
        min(entry.info.file_size, limits.max_photo_bytes),
        row,
        is_named=bool(row.named_place) if row is not None else names_place(fields) or planned.place is not None,
    )


def _read(archive: zipfile.ZipFile, entry: _Entry, max_bytes: int) -> bytes:
    name = entry.path[:200]
    if entry.info.file_size > max_bytes:
        raise ImageTooLarge(f"too many bytes in {name!r}: {entry.info.file_size:,}; at most {max_bytes:,} are accepted")
    try:
        with archive.open(entry.info) as file:
            # The declared size may be wrong, so the read is bounded too.
            data = file.read(max_bytes + 1)
    # Damaged entries also fail inside the decompressors, with various exceptions.
    except Exception as exc:
        raise InvalidImage(f"{name!r} cannot be unpacked: {type(exc).__name__}") from exc
    if len(data) > max_bytes:
        raise ImageTooLarge(f"too many bytes: more than {max_bytes:,}")
    return data


def _is_photo(archive: zipfile.ZipFile, entry: _Entry) -> bool:
    if is_photo_name(entry.path):
        return True
    try:
        with archive.open(entry.info) as file:
            return sniff_media_type(file.read(256)) is not None
    except Exception:  # as in _read
        return False


def _danger_of(info: zipfile.ZipInfo, name: str) -> str | None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or (path.parts and path.parts[0].endswith(":")):
        return "points outside the archive"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "is a symbolic link"
    if info.flag_bits & 0x1:
        return "is encrypted"
    if info.compress_type not in _READ_METHODS:
        method = _OTHER_METHODS.get(info.compress_type, f"method {info.compress_type}")
        return f"is compressed by {method}; accepted: Deflate. Pack it again, in archives below 2 GB"
    if info.file_size > _MAX_RATIO * max(info.compress_size, 1024):
        return (
            f"unpacks to {info.file_size:,} bytes from {info.compress_size:,}: no photo or manifest shrinks that much"
        )
    return None
