"""Photos in a folder on disk and what they show, by the same rule as those of an upload."""

import os
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Literal

from core.building.file_names import (
    RawName,
    decode_names,
    is_clutter,
    is_photo_name,
    match_key,
    normal_path,
)
from core.building.grouping import Grouping
from core.building.manifest_rows import ManifestRow, Role
from core.building.recordings import RecordingFile
from core.building.upload_plan import UploadNote, UploadPlan, encoding_note, find_manifests, plan_upload
from core.building.work_shards import Shard
from core.errors import InvalidRequest
from core.gallery.audio import MAX_AUDIO_BYTES
from core.gallery.storage import DATABASE_NAME
from core.imaging.decoding import ImageLimits, read_photo
from core.imaging.headers import sniff_media_type
from core.results import Place

_PHOTOS_OF_A_GALLERY = frozenset({"originals", "previews"})


@dataclass(frozen=True, slots=True)
class LabelledPhoto:
    """A photo and what is known of it.

    Attributes:
        path: of the file.
        place: what it shows, or None.
        labelled: False if it is not known what it shows; True with place None means "not in the gallery".
        source: where it comes from, for per-source reports.
        row: of the manifest that names it.
        folder: where it lies below the folder that was read, NFC; empty where a manifest names it.
        filename: as text, NFC, whatever encoding the disk's names are in; empty where nothing has been read of it.
        recordings: files beside the manifest, by the paths that its rows have.
    """

    path: Path
    place: Place | None
    labelled: bool
    source: str = ""
    row: ManifestRow | None = None
    folder: str = ""
    filename: str = ""
    recordings: Mapping[str, RecordingFile] = field(default_factory=dict)

    @property
    def names_place(self) -> bool:
        """Whether the id of its place was given, by a manifest or a folder."""
        return bool(self.row.named_place) if self.row is not None else self.place is not None

    def shows(self, place_id: str) -> bool:
        """Say whether a place is the one that it shows, however its id is spelled."""
        return self.place is not None and match_key(self.place.place_id) == match_key(place_id)


@dataclass(slots=True)
class PhotoFolder:
    """What was found in a folder.

    Attributes:
        photos: in a stable order.
        taken: what decided which photos show the same exhibit.
        notes: what was assumed.
        skipped: what was left out, with the reason: folders that may not be read, links, files that are no photos.
        missing: one sentence per recording that the manifest names and that is not there.
    """

    photos: list[LabelledPhoto] = field(default_factory=list)
    taken: Literal["manifest", "folder", "photo"] = "folder"
    notes: list[UploadNote] = field(default_factory=list)
    skipped: list[tuple[Path, str]] = field(default_factory=list)
    missing: tuple[str, ...] = ()


def read_folder(folder: Path, role: Role, shard: Shard | None = None) -> list[LabelledPhoto]:
    """List a folder's photos with their places, in a stable order; see ``scan_folder``."""
    return scan_folder(folder, role, shard).photos


def scan_folder(folder: Path, role: Role, shard: Shard | None = None, *, grouping: Grouping = "auto") -> PhotoFolder:
    """Find a folder's photos, what they show, and what is left out.

    Args:
        folder: holds a ``manifest.csv``, or one folder per place, or just photos.
        role: a manifest's rows of the other role are left out. Queries are labelled by folders only, never by names.
        shard: leave out what belongs to other parts.
        grouping: which references show the same exhibit, where no manifest says it.

    Raises:
        InvalidRequest: no such folder, or a damaged manifest.
    """
    found = PhotoFolder()
    files = list(_walk_root(folder, found.skipped))
    paths = _readable_names([relative for _, relative in files], found.notes)
    manifests = {number: _read(files[number][0]) for number in find_manifests(paths)}
    photos = {number for number, (path, _) in enumerate(files) if not manifests and _is_photo(Path(path))}
    plan = plan_upload(
        paths,
        photos=photos,
        grouping="folder" if role == "query" else grouping,
        manifests=manifests,
        root_name="" if role == "query" else unicodedata.normalize("NFC", folder.resolve().name),
    )
    found.taken = plan.taken
    found.notes += plan.notes
    found.missing = plan.missing_recordings
    for (path, _), file in zip(files, plan.files, strict=True):
        if file.kind in ("other", "unlisted"):
            reason = "no photo" if file.kind == "other" else "not listed in the manifest"
            found.skipped.append((Path(path), reason))
    listed = _of_manifest(folder, files, plan, role) if manifests else _of_folders(files, plan)
    found.photos = [photo for relative, photo in listed if shard is None or shard.holds(relative)]
    return found


def _of_folders(files: list[tuple[str, str]], plan: UploadPlan) -> Iterator[tuple[str, LabelledPhoto]]:
    for (path, relative), file in zip(files, plan.files, strict=True):
        if file.kind == "photo":
            parent, _, name = file.path.rpartition("/")
            photo = LabelledPhoto(Path(path), file.place, file.place is not None, folder=parent, filename=name)
            yield relative, photo


def _of_manifest(
    folder: Path, files: list[tuple[str, str]], plan: UploadPlan, role: Role
) -> Iterator[tuple[str, LabelledPhoto]]:
    """The photos in the order of the rows; a file that is not there is reported when it is read."""
    rows = [(file.row, path) for (path, _), file in zip(files, plan.files, strict=True) if file.row is not None]
    rows += [(row, str(folder / row.file)) for row, _ in plan.missing]
    limits = ImageLimits(max_bytes=MAX_AUDIO_BYTES)
    recordings = {
        path: RecordingFile(partial(read_photo, Path(files[number][0]), limits))
        for path, number in plan.recordings.items()
    }
    for row, path in sorted(rows, key=lambda found: found[0].line):
        if row.role in (None, role):
            place = row.place() if role == "reference" or row.named_place else None
            name = row.file.rpartition("/")[2]
            photo = LabelledPhoto(Path(path), place, True, row.source, row, filename=name, recordings=recordings)
            yield row.file, photo


def true_places(photos: Collection[LabelledPhoto], place_ids: Collection[str]) -> dict[Path, str]:
    """Say which of a gallery's places each labelled photo shows, as the gallery spells its id.

    Ids are compared in Unicode's composed form, for macOS names folders in the other. A photo in folders shows the
    place of their whole path; else that of the path below what all have in common, or of a part of it from its
    beginning, as galleries have it that were made before 0.2.0.

    Args:
        photos: labelled ones of another place, or of nothing, are not in the answer.
        place_ids: of the gallery.
    """
    spelled = {unicodedata.normalize("NFC", place_id): place_id for place_id in place_ids}
    return {photo.path: found for photo in photos if (found := _true_place(photo, spelled)) is not None}


def _true_place(photo: LabelledPhoto, spelled: Mapping[str, str]) -> str | None:
    if photo.place is None:
        return None
    own_id = unicodedata.normalize("NFC", photo.place.place_id)
    candidates = [own_id]
    if photo.row is None:
        candidates = [photo.folder, own_id]
        for path in (photo.folder, own_id):
            candidates += [str(parent) for parent in PurePosixPath(path).parents][:-1]
    return next((spelled[place_id] for place_id in candidates if place_id in spelled), None)


def _walk_root(folder: Path, skipped: list[tuple[Path, str]]) -> Iterator[tuple[str, str]]:
    if not folder.is_dir():
        raise InvalidRequest(f"no such folder: {folder}")
    return _walk(folder, "", skipped)


def _walk(folder: str | Path, parent: str, skipped: list[tuple[Path, str]]) -> Iterator[tuple[str, str]]:
    """Go through all files in the order of their relative paths, one folder in memory at a time.

    Yields:
        Where a file lies, and its path relative to the folder where the walk began, with forward slashes.
    """
    try:
        with os.scandir(folder) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        skipped.append((Path(folder), f"the folder cannot be read ({error.strerror or type(error).__name__})"))
        return
    is_gallery = any(entry.name == DATABASE_NAME for entry in listed)
    if is_gallery and parent:
        skipped.append((Path(folder), "a gallery, whose photos are there already"))
        return
    for entry in listed:
        if is_clutter(normal_path(parent + entry.name)):
            continue
        if not entry.is_dir():
            # Opening a pipe would wait for a writer. A broken link is reported when it is read.
            if entry.is_file() or (entry.is_symlink() and not Path(entry.path).exists()):
                yield entry.path, parent + entry.name
            else:
                skipped.append((Path(entry.path), "no file but a pipe, socket or device"))
        elif entry.is_symlink():
            skipped.append((Path(entry.path), "a link to a folder, which is not followed"))
        elif not (is_gallery and entry.name in _PHOTOS_OF_A_GALLERY):
            yield from _walk(entry.path, f"{parent}{entry.name}/", skipped)


def _readable_names(relative: list[str], notes: list[UploadNote]) -> list[str]:
    """Paths as text; on Linux a name may be bytes of another encoding, as of a disk from elsewhere."""
    raw = [path.encode("utf-8", "surrogateescape") for path in relative]
    if all(map(_is_text, raw)):
        return [normal_path(path) if os.sep == "\\" else unicodedata.normalize("NFC", path) for path in relative]
    decoded = decode_names([RawName(name) for name in raw])
    if decoded.guessed is not None:
        notes.append(encoding_note("names_guessed", decoded.guessed))
    return list(decoded.names)


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read ({error.strerror or type(error).__name__})") from error


def _is_photo(path: Path) -> bool:
    if is_photo_name(path.name):
        return True
    try:
        with path.open("rb") as file:
            return sniff_media_type(file.read(256)) is not None
    except OSError:
        return False
