"""Which place a photo shows, read from folders: one folder per place, or a ``manifest.csv``.

The manifest's columns: ``file`` (relative path, required), ``place_id``, ``place_name``, ``description``,
``latitude``, ``longitude``, ``metadata`` (a JSON object), and ``role``: rows marked ``query`` are photos to ask
with, all others are references. An empty ``place_id`` makes a reference a place of its own; for a query it says that
the right answer is "not in the collection".
"""

import csv
import io
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from core.building.work_shards import Shard
from core.errors import InvalidRequest
from core.imaging.decoding import EXTENSIONS
from core.imaging.headers import sniff_media_type
from core.results import Place

MANIFEST = "manifest.csv"
# Far more than anyone names; every row is filled up to the header's length, so rows cost what columns cost.
_MAX_COLUMNS = 256
# Names under which folders hold photos. Those of unaccepted kinds are walked too, so that they get reported.
_PHOTO_SUFFIXES = frozenset({*EXTENSIONS.values(), ".jpeg", ".jpe", ".jfif", ".heif", ".hif"}) | frozenset(
    {".gif", ".bmp", ".tif", ".tiff", ".jp2", ".jxl", ".dng", ".cr2", ".nef", ".arw"}
)

Role = Literal["reference", "query"]


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One line of a manifest.

    Attributes:
        file: relative path as written, with forward slashes.
        place: what it shows; None when ``place_id`` is empty.
        role: what the photo is for; None where the manifest does not say.
        source: the ``source_repo`` column, for per-source reports.
    """

    file: str
    place: Place | None
    role: Role | None
    source: str = ""


@dataclass(frozen=True, slots=True)
class LabelledPhoto:
    """A photo and what is known of it.

    Attributes:
        path: of the file.
        place: what it shows, or None.
        labelled: False where nobody said what it shows; True with place None means "of nothing in the gallery".
        source: where it comes from, for per-source reports.
    """

    path: Path
    place: Place | None
    labelled: bool
    source: str = ""


def read_folder(folder: Path, role: Role, shard: Shard | None = None) -> list[LabelledPhoto]:
    """List a folder's photos with their places, in a stable order.

    Args:
        folder: holds a ``manifest.csv``, or one folder per place, or just photos.
        role: a manifest's rows of the other role are left out.
        shard: leave out what belongs to other parts.

    Raises:
        InvalidRequest: no such folder, or a damaged manifest.
    """
    manifest = folder / MANIFEST
    if not manifest.is_file():
        return [_by_folder(path, folder) for path in walk_images(folder, shard)]
    return [
        LabelledPhoto(folder / row.file, row.place, labelled=True, source=row.source)
        for row in _manifest_rows(manifest.read_bytes())
        if row.role in (None, role) and (shard is None or shard.holds(row.file))
    ]


def place_of_path(relative: PurePosixPath) -> Place | None:
    """The place that a file's first folder names; None for a file in no folder."""
    return Place(relative.parts[0], relative.parts[0]) if len(relative.parts) > 1 else None


def walk_images(folder: Path, shard: Shard | None = None) -> list[Path]:
    """List the photos under ``folder``, recursively, in an order that never changes between runs.

    A file counts as a photo by its name or by its first bytes, so that damaged photos are listed (and later
    reported) and nameless ones are found. Hidden files and folders are skipped.

    Args:
        folder: where to begin.
        shard: leave out what belongs to other parts.

    Raises:
        InvalidRequest: ``folder`` is no folder.
    """
    if not folder.is_dir():
        raise InvalidRequest(f"no such folder: {folder}")
    paths = (Path(path) for path, file in _walk(folder, "") if shard is None or shard.holds(file))
    return [path for path in paths if path.suffix.lower() in _PHOTO_SUFFIXES or _starts_like_a_photo(path)]


def _walk(folder: str | Path, parent: str) -> Iterator[tuple[str, str]]:
    """Go through all files in the order of their relative paths, one folder in memory at a time.

    Yields:
        Where a file lies, and its path relative to the folder where the walk began, with forward slashes.
    """
    try:
        with os.scandir(folder) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
    except OSError:  # a folder that may not be read, or is gone by now
        return
    for entry in listed:
        if entry.is_dir():
            if not entry.name.startswith((".", "__MACOSX")) and not entry.is_symlink():
                yield from _walk(entry.path, f"{parent}{entry.name}/")
        elif not entry.name.startswith("."):
            yield entry.path, parent + entry.name


def parse_manifest(data: bytes, *, max_rows: int | None = None) -> list[ManifestRow]:
    """Read a manifest, CSV in UTF-8 with or without a byte order mark.

    Args:
        data: of the file.
        max_rows: how many photos it may name; None for any number.

    Raises:
        InvalidRequest: a column is missing, a value is not what it must be, or there are too many rows; the message
            names the line where one is to blame.
    """
    return list(_manifest_rows(data, max_rows))


def _manifest_rows(data: bytes, max_rows: int | None = None) -> Iterator[ManifestRow]:
    """Read a manifest row by row; see ``parse_manifest``."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidRequest(
            f"{MANIFEST} is no text in UTF-8: {error.reason} at byte {error.start}; in Excel, save as 'CSV UTF-8'"
        ) from None
    reader = csv.DictReader(io.StringIO(text), strict=True)
    try:
        columns = list(reader.fieldnames or [])
        if len(columns) > _MAX_COLUMNS:
            raise InvalidRequest(f"{MANIFEST} has {len(columns):,} columns; at most {_MAX_COLUMNS} are accepted")
        if "file" not in columns:
            raise InvalidRequest(f"{MANIFEST} has no column 'file'; its columns are {columns!s:.400}")
        for count, row in enumerate(reader):
            if count == max_rows:
                raise InvalidRequest(f"{MANIFEST} has too many rows; at most {max_rows:,} are accepted")
            yield _parse_row(row, reader.line_num)
    except csv.Error as error:
        raise InvalidRequest(f"{MANIFEST}, line {reader.line_num}: {error}") from None


def _by_folder(path: Path, folder: Path) -> LabelledPhoto:
    place = place_of_path(PurePosixPath(path.relative_to(folder).as_posix()))
    return LabelledPhoto(path, place, labelled=place is not None)


def _parse_row(row: dict[str, str | None], line: int) -> ManifestRow:
    def value(column: str) -> str:
        return (row.get(column) or "").strip()

    file = PurePosixPath(value("file"))
    if not value("file") or file.is_absolute() or ".." in file.parts:
        raise InvalidRequest(f"{MANIFEST}, line {line}: file {value('file')!r:.200} is not a path inside the folder")
    role: Role | None = None
    if value("role"):
        role = "query" if value("role").lower() == "query" else "reference"
    place = None
    if value("place_id"):
        place = Place(
            place_id=value("place_id"),
            name=value("place_name") or value("place_id"),
            description=value("description"),
            metadata=_metadata(value("metadata"), line),
            latitude=_degrees(value("latitude"), "latitude", line),
            longitude=_degrees(value("longitude"), "longitude", line),
        )
    return ManifestRow(str(file), place, role, value("source_repo"))


def _metadata(text: str, line: int) -> dict[str, object]:
    if not text:
        return {}
    try:
        parsed = json.loads(text)
    # JSON nested a thousand levels deep exhausts the parser's stack.
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise InvalidRequest(
            f"{MANIFEST}, line {line}: metadata {text!r:.80} is not a JSON object, or is nested too deeply"
        )
    return parsed


def _degrees(text: str, column: str, line: int) -> float | None:
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise InvalidRequest(f"{MANIFEST}, line {line}: {column} {text!r:.80} is not a number of degrees") from None


def _starts_like_a_photo(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return sniff_media_type(file.read(256)) is not None
    except OSError:
        return False
