"""Copies of a gallery that are whole although it was being changed meanwhile, and the way back.

A backup is laid out as a gallery, and holds ``SHA256SUMS`` as well, in the format of ``sha256sum --check``. That file
is written last: a folder without it is not a finished backup.
"""

import hashlib
import os
import shutil
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from core.errors import GalleryUnavailable, InvalidRequest
from core.gallery.audio import AUDIO_EXTENSIONS
from core.gallery.database.embeddings import count_images
from core.gallery.database.images import ImageRows, uses_content
from core.gallery.database.places import drop_place_without_images, place_row_of
from core.gallery.database.port import Connection
from core.gallery.database.recordings import forget_recording, read_recordings
from core.gallery.database.sqlite import SqliteDatabase, translating_failures
from core.gallery.opening import check_for_reading
from core.gallery.photos.files import PhotoFiles, sync_folder
from core.gallery.storage import DATABASE_NAME

CHECKSUMS_NAME = "SHA256SUMS"

_UNFINISHED_DATABASE = f".unfinished-{DATABASE_NAME}"
_NAMED_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class BackupSummary:
    """What a backup holds.

    Attributes:
        images: rows, each with its original and its preview.
        files: the database, the photos and the recordings.
        byte_size: of those files together.
    """

    images: int
    files: int
    byte_size: int


def back_up(gallery: Path, output: Path) -> BackupSummary:
    """Copy a gallery, which may be in use, and check the copy.

    The rows are those of the moment of the call, less images that were deleted before their photos were copied.

    Args:
        gallery: the folder to copy.
        output: an empty folder, or one to be made.

    Raises:
        InvalidRequest: ``output`` holds something.
        GalleryUnavailable: a photo is missing or damaged (all are named), or something cannot be read or written.
    """
    gallery, output = gallery.absolute(), output.absolute()
    with closing(SqliteDatabase(gallery / DATABASE_NAME, read_only=True, lock_timeout_s=10)) as source:
        check_for_reading(source, None)
        _claim(output)
        with translating_failures(output):
            source.copy_to(output / _UNFINISHED_DATABASE)
            with closing(sqlite3.connect(output / _UNFINISHED_DATABASE, isolation_level=None)) as copy:
                copy.execute("PRAGMA foreign_keys = ON")
                digests = _copy_photos(source, copy, PhotoFiles(gallery), PhotoFiles(output))
            (output / _UNFINISHED_DATABASE).replace(output / DATABASE_NAME)
            digests[output / DATABASE_NAME] = _digest(output / DATABASE_NAME)
            _write_checksums(output, digests)
    return check_backup(output)


def check_gallery(gallery: Path) -> BackupSummary:
    """Read a gallery through, which may be in use: the database is sound, every original as it was written.

    Previews are left out: a damaged one is made again when it is asked for.

    Raises:
        GalleryUnavailable: something is damaged; the message names the files.
    """
    gallery = gallery.absolute()
    files, damaged, byte_size = PhotoFiles(gallery), list[str](), 0
    with closing(SqliteDatabase(gallery / DATABASE_NAME, read_only=True, lock_timeout_s=10)) as source:
        check_for_reading(source, None)
        with source.reading() as connection:
            _refuse_unsound("the gallery", gallery, connection)
            images = count_images(connection)
            contents = _originals(connection)
        for content_hash, media_type in contents:
            original = Path(files.original_path(content_hash, media_type))
            with translating_failures(gallery), suppress(FileNotFoundError):
                byte_size += original.stat().st_size
                if _digest(original) == content_hash:
                    continue
            with source.reading() as connection:
                if _is_used(connection, content_hash):  # else it was deleted meanwhile
                    damaged.append(str(original))
    _refuse_damaged("the gallery", damaged)
    return BackupSummary(images, len(contents), byte_size)


def check_backup(backup: Path) -> BackupSummary:
    """Read a backup through: every file as it was written, every row with its files, the database sound.

    Raises:
        GalleryUnavailable: it is not whole; the message names the files.
    """
    backup = backup.absolute()
    with translating_failures(backup):
        digests = _read_checksums(backup)
        damaged = [str(path) for path, digest in digests.items() if not path.is_file() or _digest(path) != digest]
        _refuse_damaged("the backup", damaged)
        files = PhotoFiles(backup)
        with closing(sqlite3.connect(f"{(backup / DATABASE_NAME).as_uri()}?mode=ro&immutable=1", uri=True)) as rows:
            _refuse_unsound("the backup", backup, rows)
            images, contents = count_images(rows), _originals(rows)
        needed = {Path(path) for content in contents for path in _paths(files, *content)}
        _refuse_damaged("the backup", [str(path) for path in needed - digests.keys()])
        return BackupSummary(images, len(digests), sum(path.stat().st_size for path in digests))


def restore(backup: Path, gallery: Path) -> BackupSummary:
    """Make a gallery of a backup, after checking it. The backup is not changed.

    The database arrives last, so that an interrupted restore is never taken for a gallery.

    Args:
        backup: made by ``back_up``.
        gallery: an empty folder, or one to be made.

    Raises:
        InvalidRequest: ``gallery`` holds something.
        GalleryUnavailable: the backup is not whole, or something cannot be read or written.
    """
    backup, gallery = backup.absolute(), gallery.absolute()
    _refuse_occupied(gallery)
    summary = check_backup(backup)
    _claim(gallery)
    with translating_failures(gallery):
        files = PhotoFiles(gallery)
        for path in _read_checksums(backup):
            if path.name != DATABASE_NAME:
                files.store([(str(gallery / path.relative_to(backup)), path.read_bytes())])
        unfinished = gallery / _UNFINISHED_DATABASE
        shutil.copyfile(backup / DATABASE_NAME, unfinished)
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.replace(gallery / DATABASE_NAME)
        sync_folder(gallery)
    return summary


def _copy_photos(
    source: SqliteDatabase, copy: sqlite3.Connection, from_files: PhotoFiles, to_files: PhotoFiles
) -> dict[Path, str]:
    """Copy the photos and recordings of all rows of ``copy``; return the SHA-256 of every file written."""
    digests: dict[Path, str] = {}
    damaged: list[str] = []
    for content_hash, media_type in _originals(copy):
        paths = _paths(from_files, content_hash, media_type)
        photos = _read_photos(source, content_hash, paths)
        if photos is None:
            _forget(copy, from_files, content_hash)
            continue
        if not all(photos) or hashlib.sha256(photos[0]).hexdigest() != content_hash:
            damaged += paths
            continue
        targets = _paths(to_files, content_hash, media_type)
        to_files.store(zip(targets, photos, strict=True))
        for target, photo in zip(targets, photos, strict=True):
            digests[Path(target)] = hashlib.sha256(photo).hexdigest()
    _refuse_damaged("the gallery", damaged)
    return digests


def _read_photos(source: SqliteDatabase, content_hash: str, paths: list[str]) -> list[bytes] | None:
    """Read an original and its preview, if any: None if deleted meanwhile, empty bytes for what is lost."""
    try:
        return [Path(path).read_bytes() for path in paths]
    except FileNotFoundError:
        with source.reading() as connection:
            if not _is_used(connection, content_hash):
                return None
    # Deleted and added again between the two looks, or really lost.
    return [Path(path).read_bytes() if Path(path).is_file() else b"" for path in paths]


def _forget(copy: sqlite3.Connection, files: PhotoFiles, content_hash: str) -> None:
    for (image_id,) in copy.execute("SELECT image_id FROM images WHERE content_hash = ?", (content_hash,)).fetchall():
        place = place_row_of(copy, image_id)
        ImageRows(files).delete(copy, image_id)
        drop_place_without_images(copy, place)
    forget_recording(copy, content_hash)


def _originals(connection: Connection) -> list[tuple[str, str]]:
    """Content hash and media type of all photos and recordings."""
    contents = connection.execute("SELECT DISTINCT content_hash, media_type FROM images").fetchall()
    recordings = read_recordings(connection)
    return [*contents, *((recording.content_hash, recording.media_type) for recording in recordings)]


def _paths(files: PhotoFiles, content_hash: str, media_type: str) -> list[str]:
    """Where an original lies, and the preview of a photo."""
    previews = [] if media_type in AUDIO_EXTENSIONS else [files.preview_path(content_hash)]
    return [files.original_path(content_hash, media_type), *previews]


def _is_used(connection: Connection, content_hash: str) -> bool:
    return uses_content(connection, content_hash) or any(
        recording.content_hash == content_hash for recording in read_recordings(connection)
    )


def _claim(folder: Path) -> None:
    """Make the folder, or take it if it is empty."""
    _refuse_occupied(folder)
    with translating_failures(folder):
        folder.mkdir(parents=True, exist_ok=True)


def _refuse_occupied(folder: Path) -> None:
    with translating_failures(folder):
        if folder.exists() and any(folder.iterdir()):
            raise InvalidRequest(f"{folder} is not empty; nothing is overwritten: give an empty folder or a new one")


def _refuse_unsound(what: str, folder: Path, connection: sqlite3.Connection) -> None:
    soundness = connection.execute("PRAGMA quick_check").fetchone()[0]
    if soundness != "ok":
        raise GalleryUnavailable(f"{what}'s database in {folder} is damaged: {soundness}")


def _refuse_damaged(what: str, paths: list[str]) -> None:
    if paths:
        more = f" and {len(paths) - _NAMED_AT_ONCE} more" if len(paths) > _NAMED_AT_ONCE else ""
        raise GalleryUnavailable(
            f"{what} is damaged: missing or changed: {', '.join(sorted(paths)[:_NAMED_AT_ONCE])}{more}; "
            "restore those files, or delete their images"
        )


def _write_checksums(folder: Path, digests: dict[Path, str]) -> None:
    lines = sorted(f"{digest}  {path.relative_to(folder).as_posix()}\n" for path, digest in digests.items())
    with (folder / CHECKSUMS_NAME).open("w") as file:
        file.writelines(lines)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(folder)


def _read_checksums(backup: Path) -> dict[Path, str]:
    path = backup / CHECKSUMS_NAME
    if not path.is_file():
        raise GalleryUnavailable(f"no finished backup in {backup}: {CHECKSUMS_NAME} is missing; back up again")
    pairs = (line.split("  ", 1) for line in path.read_text().splitlines())
    digests = {backup / name: digest for digest, name in pairs}
    if backup / DATABASE_NAME not in digests:
        raise GalleryUnavailable(f"no finished backup in {backup}: {CHECKSUMS_NAME} names no {DATABASE_NAME}")
    return digests


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
