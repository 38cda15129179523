"""Plans an upload by its file names, before the page sends the photos."""

import struct
from collections import Counter
from collections.abc import Callable, Iterator

from contracts.upload_plans import FilePlan, PlannedPlaceBody, PlannedSource, PlanQuestion, PlanReply
from core.building.file_names import RawName, decode_names, is_photo_name, normal_path
from core.building.upload_plan import PlannedFile, UploadNote, UploadPlan, encoding_note, find_manifests, plan_upload
from core.errors import InvalidRequest
from services.retrieval.replies.gallery import note_body, place_body


def answer_plan(question: PlanQuestion, max_entries: int) -> PlanReply:
    """Plan all sources, one by one.

    Args:
        question: the names of folders and archives, and the manifests.
        max_entries: most entries of an archive and most rows of a manifest.

    Raises:
        InvalidRequest: an archive's directory or a manifest cannot be read.
    """
    notes: list[UploadNote] = []
    needed: list[tuple[int, int]] = []
    plans: list[UploadPlan] = []
    for number, source in enumerate(question.sources):
        paths = list(_paths(source, max_entries, notes))
        manifests = {manifest.file: manifest.data for manifest in question.manifests if manifest.source == number}
        needed += [(number, file) for file in find_manifests(paths) if file not in manifests]
        photos = {index for index, path in enumerate(paths) if is_photo_name(path)} | set(source.photos)
        plan = plan_upload(
            paths,
            photos=photos,
            grouping=question.grouping,
            manifests={file: data for file, data in manifests.items() if file < len(paths)},
            root_name=source.name,
            max_rows=max_entries,
        )
        notes += plan.notes
        plans.append(plan)
    return _reply(plans, notes, needed)


def _paths(source: PlannedSource, max_entries: int, notes: list[UploadNote]) -> Iterator[str]:
    if source.directory is None:
        yield from map(normal_path, source.paths)
        return
    decoded = decode_names(list(_read_directory(source.directory, max_entries)))
    if decoded.guessed is not None:
        notes.append(encoding_note("names_guessed", decoded.guessed))
    yield from decoded.names


def _read_directory(data: bytes, max_entries: int) -> Iterator[RawName]:
    """Read the names of a central directory: APPNOTE.TXT 6.3.10, section 4.3.12."""
    position, count = 0, 0
    while data[position : position + 4] == b"PK\1\2":
        count += 1
        if count > max_entries:
            raise InvalidRequest(f"too many entries: more than {max_entries:,}; at most {max_entries:,} are accepted")
        header = data[position : position + 46]
        if len(header) < 46:
            break
        (flags,) = struct.unpack_from("<H", header, 8)
        name_length, extra_length, comment_length = struct.unpack_from("<3H", header, 28)
        start = position + 46
        name = data[start : start + name_length]
        yield RawName(name, flags, data[start + name_length : start + name_length + extra_length])
        position = start + name_length + extra_length + comment_length


def _reply(plans: list[UploadPlan], notes: list[UploadNote], needed: list[tuple[int, int]]) -> PlanReply:
    numbers: dict[str, int] = {}
    places: list[PlannedPlaceBody] = []
    counts = Counter[int]()

    def number_of(file: PlannedFile) -> int | None:
        if file.place is None:
            return None
        if file.place.place_id not in numbers:
            numbers[file.place.place_id] = len(places)
            places.append(PlannedPlaceBody(**place_body(file.place).model_dump()))
        number = numbers[file.place.place_id]
        counts[number] += 1
        return number

    files = [[_file(file, number_of) for file in plan.files] for plan in plans]
    for number, place in enumerate(places):
        place.images = counts[number]
    taken = {plan.taken for plan in plans if plan.photos}
    return PlanReply(
        grouping="manifest" if "manifest" in taken else "folder" if "folder" in taken else "photo",
        files=files,
        places=places,
        notes=[note_body(note) for note in notes],
        missing=[reason for plan in plans for reason in _missing(plan)],
        manifests_needed=needed,
    )


def _missing(plan: UploadPlan) -> list[str]:
    return [*(reason for row, reason in plan.missing if row.role != "query"), *plan.missing_recordings]


def _file(file: PlannedFile, number_of: Callable[[PlannedFile], int | None]) -> FilePlan:
    if file.row is not None and file.row.role == "query":
        return FilePlan(path=file.path, kind="query")
    if file.kind != "photo":
        return FilePlan(path=file.path, kind=file.kind)
    return FilePlan(path=file.path, kind="photo", place=number_of(file))
