"""What becomes of the files of a folder or an archive: which are photos, and which exhibit each of them shows.

One rule for every way in: ``POST /index/images``, the page, and the scripts. Folders around everything, files that are
no photos, and what systems write beside people's files change nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from core.building.file_names import is_clutter, is_manifest, match_key
from core.building.grouping import Grouping, group_photos
from core.building.manifest_rows import ManifestRow
from core.building.manifests import MANIFEST, parse_manifest
from core.building.recordings import recording_cell
from core.building.text_encodings import ENCODING_NAMES
from core.results import Place

FileKind = Literal["photo", "recording", "other", "manifest", "clutter", "unlisted"]
"""``recording``: a manifest names it as one; ``other``: no photo by its name; ``unlisted``: no manifest names it."""


@dataclass(frozen=True, slots=True)
class UploadNote:
    """Something that was assumed, or not used, and that its owner should know.

    Attributes:
        code: ``names_guessed``, ``manifest_encoding`` or ``columns_unused``.
        message: one sentence.
        detail: what it is about: an encoding, or columns.
    """

    code: str
    message: str
    detail: str


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file, and what is meant by it.

    Attributes:
        path: as given.
        kind: see ``FileKind``.
        place: what a photo shows; None makes it an exhibit of its own.
        row: of the manifest that names it.
    """

    path: str
    kind: FileKind
    place: Place | None = None
    row: ManifestRow | None = None


@dataclass(frozen=True, slots=True)
class UploadPlan:
    """What becomes of all files.

    Attributes:
        files: in the order given.
        taken: what decided which photos show the same exhibit.
        missing: rows of manifests without a file of their own, each with the reason.
        notes: what to say beside the outcomes.
        recordings: numbers of the files that are recordings, by the paths that ``ManifestRow.recordings`` has here.
        missing_recordings: one sentence per recording that a row names and that is not there.
    """

    files: tuple[PlannedFile, ...]
    taken: Literal["manifest", "folder", "photo"]
    missing: tuple[tuple[ManifestRow, str], ...] = ()
    notes: tuple[UploadNote, ...] = ()
    recordings: Mapping[str, int] = field(default_factory=dict)
    missing_recordings: tuple[str, ...] = ()

    @property
    def photos(self) -> list[PlannedFile]:
        """The files that are to be added."""
        return [file for file in self.files if file.kind == "photo" and not (file.row and file.row.role == "query")]


@dataclass
class _Listed:
    """The content of manifests by file."""

    rows: dict[int, ManifestRow] = field(default_factory=dict)
    missing: list[tuple[ManifestRow, str]] = field(default_factory=list)
    notes: list[UploadNote] = field(default_factory=list)
    recordings: dict[str, int] = field(default_factory=dict)
    missing_recordings: list[str] = field(default_factory=list)


def find_manifests(paths: Sequence[str]) -> list[int]:
    """Say which of the files are manifests that have to be read before a plan can be made."""
    return [number for number, path in enumerate(paths) if is_manifest(path) and not is_clutter(path)]


def plan_upload(
    paths: Sequence[str],
    *,
    photos: Collection[int],
    grouping: Grouping = "auto",
    manifests: Mapping[int, bytes] | None = None,
    root_name: str = "",
    max_rows: int | None = None,
) -> UploadPlan:
    """Say what becomes of each file.

    Args:
        paths: of all files of one folder or archive, relative, NFC, with forward slashes.
        photos: which of them are photos by name or content.
        grouping: which photos show the same exhibit, where no manifest says it.
        manifests: the content of the files that ``find_manifests`` named.
        root_name: of the folder or archive.
        max_rows: how many photos a manifest may name.

    Raises:
        InvalidRequest: a manifest cannot be read.
    """
    clutter = {number for number, path in enumerate(paths) if is_clutter(path)}
    if manifests:
        listed = _read_manifests(paths, manifests, clutter, max_rows)
        files = [_listed_file(number, path, clutter, manifests, listed) for number, path in enumerate(paths)]
        return UploadPlan(
            tuple(files),
            "manifest",
            tuple(listed.missing),
            tuple(listed.notes),
            listed.recordings,
            tuple(listed.missing_recordings),
        )
    taken = [number for number in range(len(paths)) if number in photos and number not in clutter]
    grouped = group_photos([paths[number] for number in taken], grouping, root_name)
    places = dict(zip(taken, grouped.places, strict=True))
    files = [
        PlannedFile(
            path, "clutter" if number in clutter else "photo" if number in places else "other", places.get(number)
        )
        for number, path in enumerate(paths)
    ]
    return UploadPlan(tuple(files), grouped.taken)


def encoding_note(code: Literal["names_guessed", "manifest_encoding"], encoding: str) -> UploadNote:
    """Say in which encoding something was read that did not name its own."""
    name = ENCODING_NAMES[encoding]
    message = {
        "names_guessed": f"the names do not say how they are encoded; they were read as {name}",
        "manifest_encoding": f"{MANIFEST} was read as {name}",
    }[code]
    return UploadNote(code, message, name)


def count_places(files: Sequence[PlannedFile]) -> list[tuple[PlannedFile, int]]:
    """The exhibits in the order of their first photo, each with that photo and how many photos it has."""
    first: dict[str, PlannedFile] = {}
    counts = Counter[str]()
    for file in files:
        key = f"place {file.place.place_id}" if file.place else f"photo {file.path}"
        first.setdefault(key, file)
        counts[key] += 1
    return [(file, counts[key]) for key, file in first.items()]


class _Files:
    """The files that manifests may name, by their paths and by what all spellings of a path have in common."""

    def __init__(self, paths: Sequence[str], left_out: Collection[int]) -> None:
        self._paths = paths
        self._by_path, self._by_key = defaultdict[str, list[int]](list), defaultdict[str, list[int]](list)
        for number, path in enumerate(paths):
            if number not in left_out:
                self._by_path[path].append(number)
                self._by_key[match_key(path)].append(number)

    def find(self, folder: str, file: str) -> tuple[list[int], int]:
        """Find what a manifest in this folder means by a path: files of one name, and under how many names there are.

        Files of one name are all meant; those whose names differ in case are not.
        """
        for path in (f"{folder}/{file}" if folder else file, file):
            found = self._by_path.get(path) or self._by_key.get(match_key(path), [])
            if found:
                return found, len({self._paths[number] for number in found})
        return [], 0


def _read_manifests(
    paths: Sequence[str], manifests: Mapping[int, bytes], clutter: Collection[int], max_rows: int | None
) -> _Listed:
    listed = _Listed()
    files = _Files(paths, {*clutter, *manifests})
    for manifest, data in manifests.items():
        parsed = parse_manifest(data, max_rows=max_rows)
        if parsed.encoding != "utf-8":
            listed.notes.append(encoding_note("manifest_encoding", parsed.encoding))
        if parsed.unused_columns:
            columns = ", ".join(parsed.unused_columns)[:400]
            listed.notes.append(
                UploadNote("columns_unused", f"columns of {MANIFEST} without a use: {columns}", columns)
            )
        folder = paths[manifest].rpartition("/")[0]
        for parsed_row in parsed.rows:
            row = replace(parsed_row, recordings=_find_recordings(parsed_row, folder, paths, files, listed))
            found, names = files.find(folder, row.file)
            if names == 1 and found[0] not in listed.rows:
                listed.rows |= dict.fromkeys(found, row)
            else:
                listed.missing.append((row, f"{MANIFEST}, line {row.line}: {row.file[:200]!r} {_why_missing(names)}"))
    return listed


def _find_recordings(
    row: ManifestRow, folder: str, paths: Sequence[str], files: _Files, listed: _Listed
) -> dict[str, str]:
    """List the recordings that a row names, and return their paths among all files; of missing ones as given."""
    named = dict[str, str]()
    for tag, file in row.recordings.items():
        found, names = files.find(folder, file)
        named[tag] = paths[found[0]] if names == 1 else file
        if names == 1:
            listed.recordings.setdefault(named[tag], found[0])
        else:
            listed.missing_recordings.append(f"{recording_cell(row, tag)} {_why_missing(names)}")
    return named


def _why_missing(names: int) -> str:
    if names > 1:
        return f"may be {names} files, whose names differ in case only"
    return "is named twice" if names else "is not there"


def _listed_file(
    number: int, path: str, clutter: Collection[int], manifests: Mapping[int, bytes], listed: _Listed
) -> PlannedFile:
    if number in clutter:
        return PlannedFile(path, "clutter")
    if number in manifests:
        return PlannedFile(path, "manifest")
    row = listed.rows.get(number)
    if row is not None:
        return PlannedFile(path, "photo", row.place(), row)
    return PlannedFile(path, "recording" if path in listed.recordings else "unlisted")
