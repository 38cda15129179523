"""Makes submissions of the files of a form: photos, archives, and manifests that name the photos' places."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath

from starlette.datastructures import UploadFile

from contracts.images import AddFields
from core.building.file_names import is_manifest
from core.building.manifest_rows import ManifestRow
from core.building.recordings import RecordingFile
from core.building.upload_plan import plan_upload
from core.errors import ImageTooLarge, InvalidRequest
from core.results import Place
from services.retrieval.settings import RetrievalSettings
from services.retrieval.uploads.archives import ArchiveLimits, is_archive, submit_archive
from services.retrieval.uploads.submissions import (
    Submission,
    Upload,
    names_place,
    place_in_folder,
    place_of_row,
    refuse,
    sent_path,
    shown_name,
    submit_file,
)


def read_upload(files: Sequence[UploadFile], fields: AddFields, settings: RetrievalSettings) -> Upload:
    """Make submissions of a form's files, in the order sent; those of a manifest in the order of its rows."""
    limits = ArchiveLimits(
        max_entries=settings.max_archive_entries,
        max_total_bytes=settings.max_archive_bytes,
        max_photo_bytes=settings.max_photo_bytes,
        max_audio_bytes=settings.max_audio_bytes,
    )
    if any(is_manifest(sent_path(file.filename)) and not is_archive(file.file) for file in files):
        return _read_with_manifest(files, fields, limits)
    upload = Upload()
    loose = [file for file in files if not is_archive(file.file)]
    paths = [sent_path(file.filename) for file in loose]
    # Photos without a folder are one place only if the form asks for it.
    grouping = "photo" if fields.grouping == "auto" else fields.grouping
    plan = plan_upload(paths, photos=range(len(paths)), grouping=grouping)
    if loose:
        upload.taken.append("form" if names_place(fields) else plan.taken)
    planned = iter(plan.files)
    for file in files:
        if is_archive(file.file):
            upload.add(submit_archive(file.filename, file.file, limits, fields))
            continue
        place = place_in_folder(fields, next(planned).place, stem=PurePosixPath(shown_name(file.filename)).stem)
        is_named = place is not None and (names_place(fields) or plan.taken == "folder")
        upload.submissions.append(_submit(file, limits, place, is_named=is_named))
    return upload


def _read_with_manifest(files: Sequence[UploadFile], fields: AddFields, limits: ArchiveLimits) -> Upload:
    archives = [file for file in files if is_archive(file.file)]
    loose = [file for file in files if not is_archive(file.file)]
    paths = [sent_path(file.filename) for file in loose]
    upload = Upload(taken=["manifest"])
    try:
        manifests = {number: loose[number].file.read() for number, path in enumerate(paths) if is_manifest(path)}
        plan = plan_upload(paths, photos=(), manifests=manifests, max_rows=limits.max_entries)
    except InvalidRequest as exc:
        upload.submissions = [refuse(shown_name(file.filename), exc) for file in files]
        return upload
    upload.notes += plan.notes
    recordings = {
        path: RecordingFile(partial(_read_recording, loose[number], limits.max_audio_bytes))
        for path, number in plan.recordings.items()
    }
    rows = [(row, None, reason) for row, reason in plan.missing if row.role != "query"]
    if len(manifests) + sum(file.kind == "recording" for file in plan.files) == len(files):
        upload.corrections = [(row, recordings) for row, _, _ in rows]
        return upload
    listed: list[tuple[ManifestRow, UploadFile | None, str]] = [*rows]
    listed += [
        (planned.row, file, "")
        for file, planned in zip(loose, plan.files, strict=True)
        if planned.row is not None and planned.row.role != "query"
    ]
    for row, file, reason in sorted(listed, key=lambda item: item[0].line):
        if file is None:
            upload.submissions.append(refuse(shown_name(row.file), InvalidRequest(reason)))
        else:
            place = place_of_row(fields, row)
            submission = _submit(file, limits, place, row, is_named=bool(row.named_place))
            upload.submissions.append(replace(submission, recordings=recordings))
    for file, planned in zip(loose, plan.files, strict=True):
        if planned.kind in ("unlisted", "clutter"):
            reason = f"{planned.path[:200]!r} is not listed in the manifest"
            upload.submissions.append(refuse(shown_name(file.filename), InvalidRequest(reason)))
    for archive in archives:
        upload.add(submit_archive(archive.filename, archive.file, limits, fields))
    return upload


def _submit(
    file: UploadFile, limits: ArchiveLimits, place: Place | None, row: ManifestRow | None = None, *, is_named: bool
) -> Submission:
    return submit_file(file.filename, file.file, file.size or 0, limits.max_photo_bytes, place, row, is_named=is_named)


def _read_recording(file: UploadFile, max_bytes: int) -> bytes:
    size = file.size or 0
    if size > max_bytes:
        raise ImageTooLarge(f"too many bytes: {size:,}; at most {max_bytes:,} are accepted")
    file.file.seek(0)
    return file.file.read()
