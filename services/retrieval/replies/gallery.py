"""Replies about the gallery: images, places, collections, the trash and uploads."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from contracts.images import (
    AddFields,
    AddOutcome,
    AddReply,
    CollectionList,
    CollectionSummaryBody,
    ImageBody,
    ImageChangeBody,
    ImagePageBody,
    PlaceBody,
    PlaceChange,
    PlaceCorrectionBody,
    PlacePageBody,
    PlaceSummaryBody,
    PlannedPlace,
    UploadNoteBody,
)
from contracts.retrieval import RetrievedCandidate
from contracts.texts import TextChangeBody
from contracts.trash import DeletionBody, TrashPage
from core.building.file_names import match_key
from core.building.manifests import MANIFEST
from core.building.upload_plan import UploadNote
from core.errors import InvalidRequest
from core.gallery import Gallery, values
from core.gallery.deletions import DeletionPage
from core.gallery.tags import place_tag
from core.gallery.values import PLACE_FIELDS, AddResult, PlaceCorrection, PlaceCorrections
from core.gallery_health.photo_quality import Fault
from core.results import Candidate, GalleryImage, Place
from services.errors import CORE_ERRORS
from services.retrieval.replies.texts import (
    Reader,
    changed_texts,
    reader_of,
    recording_bodies,
    shown_text,
    text_bodies,
)
from services.retrieval.uploads.indexing import AddOutcome as Added
from services.retrieval.uploads.indexing import Planned
from services.retrieval.uploads.submissions import Submission, Upload
from serving.errors import find_row
from serving.path_prefix import link

_FIRST_PLACES = 10
_MOST_CHANGES = 1000


def place_body(place: Place, reader: Reader | None = None) -> PlaceBody:
    """Translate a place; with its texts as a reader gets them, if one is given."""
    return PlaceBody(
        id=place.place_id,
        name=place.name,
        description=place.description,
        metadata=dict(place.metadata),
        latitude=place.latitude,
        longitude=place.longitude,
        hidden=place.is_hidden,
        shown=shown_text(place, reader) if reader is not None else None,
    )


def image_body(image: GalleryImage, reader: Reader | None = None) -> ImageBody:
    """Translate a gallery image; its URLs are relative, and the gateway has the same routes."""
    return ImageBody(
        id=image.image_id,
        collection=image.collection,
        place=place_body(image.place, reader),
        filename=image.filename,
        media_type=image.media_type,
        width=image.width,
        height=image.height,
        bytes=image.byte_size,
        content_hash=image.content_hash,
        added_at=image.added_at,
        file_url=link(f"/index/images/{image.image_id}/file"),
        preview_url=link(f"/index/images/{image.image_id}/preview"),
    )


def candidate_body(candidate: Candidate, reader: Reader) -> RetrievedCandidate:
    """Translate a candidate for a reader."""
    return RetrievedCandidate(
        image=image_body(candidate.image, reader),
        similarity=candidate.similarity,
        rank=candidate.rank,
        local_score=candidate.local_score,
    )


def image_page(page: values.ImagePage) -> ImagePageBody:
    """Translate one page of images."""
    return ImagePageBody(
        images=[image_body(image) for image in page.images], total=page.total, next_cursor=page.next_cursor
    )


def place_page(page: values.PlacePage) -> PlacePageBody:
    """Translate one page of places."""
    return PlacePageBody(
        places=[place_summary(place) for place in page.places], total=page.total, next_cursor=page.next_cursor
    )


def place_summary(summary: values.PlaceSummary, reader: Reader | None = None) -> PlaceSummaryBody:
    """Translate a place with its texts in all languages and the number of its images."""
    return PlaceSummaryBody(
        **place_body(summary.place, reader).model_dump(),
        texts=text_bodies(summary.place),
        recordings=recording_bodies(summary.collection, summary.place),
        collection=summary.collection,
        images=summary.images,
        preview_url=link(f"/index/images/{summary.first_image_id}/preview"),
    )


def read_place(
    gallery: Gallery, collection: str, place_id: str, languages: str | None, *, with_hidden: bool
) -> tuple[str, PlaceSummaryBody]:
    """Read a place and its tag, for whoever sent ``languages``; see ``Gallery.place``."""
    found = gallery.place(collection, place_id, with_hidden=with_hidden)
    return place_tag(found.place), place_summary(found, reader_of(gallery, found.collection, languages))


def trash_page(page: DeletionPage, days: float) -> TrashPage:
    """Translate one page of the trash.

    Args:
        page: of deletions.
        days: for how long they can be undone.
    """
    return TrashPage(
        deletions=[
            DeletionBody(
                id=deletion.deletion_id,
                kind=deletion.kind,
                collection=deletion.collection,
                name=deletion.name,
                place_id=deletion.place_id,
                images=deletion.images,
                deleted_at=_moment(deletion.deleted_at),
                kept_until=_moment(deletion.deleted_at + days * 86_400),
            )
            for deletion in page.deletions
        ],
        total=page.total,
        next_cursor=page.next_cursor,
        days=days,
    )


def collection_list(collections: list[values.CollectionSummary]) -> CollectionList:
    """Translate all collections."""
    return CollectionList(collections=[collection_body(collection) for collection in collections])


def collection_body(collection: values.CollectionSummary) -> CollectionSummaryBody:
    """Translate one collection."""
    return CollectionSummaryBody(
        id=collection.name,
        images=collection.images,
        places=collection.places,
        language=collection.language or None,
        former_names=list(collection.former_names),
    )


def add_reply(
    fields: AddFields,
    upload: Upload,
    outcomes: Sequence[Added | Planned],
    corrected: PlaceCorrections,
    faults: Sequence[Sequence[Fault]] = (),
) -> AddReply:
    """Translate the result of an upload.

    Args:
        fields: of the form.
        upload: the files of the form.
        outcomes: one per submission, in their order.
        corrected: the result of a manifest's texts.
        faults: of the photos, one sequence per submission; none in a dry run.
    """
    results = [_outcome_body(*pair) for pair in zip(upload.submissions, outcomes, strict=True)]
    for result, found in zip(results, faults, strict=False):
        result.faults = list(found)
    results += _correction_bodies(upload, corrected, dry_run=fields.dry_run)
    planned = _planned_places(upload.submissions, results)
    return AddReply(
        collection=fields.collection,
        added=sum(result.status == "added" for result in results),
        duplicates=sum(result.status == "duplicate" for result in results),
        rejected=sum(result.status == "rejected" for result in results),
        updated=0 if fields.dry_run else corrected.changed,
        would_update=corrected.changed if fields.dry_run else 0,
        changes=list(map(_change_body, corrected.changes[:_MOST_CHANGES])) if fields.dry_run else [],
        grouping=upload.grouping,
        notes=[note_body(note) for note in upload.notes],
        dry_run=fields.dry_run,
        places=len(planned),
        first_places=planned[:_FIRST_PLACES],
        results=results,
    )


def note_body(note: UploadNote) -> UploadNoteBody:
    """Translate a note about something that was assumed."""
    return UploadNoteBody.model_validate(asdict(note))


def change_from_body(body: ImageChangeBody) -> values.ImageChange:
    """Translate a change. A field left out is unchanged; null deletes a position and changes no other field."""
    given: dict[str, Any] = {
        name: value
        for name in body.model_fields_set
        if (value := getattr(body, name)) is not None or name in {"latitude", "longitude"}
    }
    if "texts" in given:
        given["texts"] = {tag: _text_change(text) for tag, text in given["texts"].items()}
    if "hidden" in given:
        given["is_hidden"] = given.pop("hidden")
    return values.ImageChange(**given)


def place_change_from_body(body: PlaceChange) -> values.ImageChange:
    """Translate a change of a place, as ``change_from_body`` does."""
    given = {"place_name" if name == "name" else name: getattr(body, name) for name in body.model_fields_set}
    return change_from_body(ImageChangeBody(**given))


def _text_change(body: TextChangeBody | None) -> values.TextChange | None:
    if body is None:
        return None
    given = {name: value for name in body.model_fields_set if (value := getattr(body, name)) is not None}
    if "machine_translated" in given:
        given["is_machine_translated"] = given.pop("machine_translated")
    return values.TextChange(**given)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _outcome_body(submission: Submission, outcome: Added | Planned) -> AddOutcome:
    if isinstance(outcome, Planned):
        if outcome.same_as is None:
            return AddOutcome(filename=submission.filename, status="planned")
        same = f"the same photo as {outcome.same_as!r} in this upload"
        return AddOutcome(filename=submission.filename, status="duplicate", reason=same)
    if isinstance(outcome, AddResult):
        reason = None
        if outcome.status == "duplicate" and submission.is_named and not _shows(outcome.image, submission.place):
            reason = f"already there, as a photo of {outcome.image.place.name[:200]!r}"
        image = image_body(outcome.image)
        return AddOutcome(filename=submission.filename, status=outcome.status, image=image, reason=reason)
    code = find_row(CORE_ERRORS, outcome).code
    return AddOutcome(filename=submission.filename, status="rejected", reason=str(outcome), code=code)


def _shows(image: GalleryImage, place: Place | None) -> bool:
    return place is None or match_key(image.place.place_id) == match_key(place.place_id)


def _change_body(correction: PlaceCorrection) -> PlaceCorrectionBody:
    changed = [name for name in PLACE_FIELDS if not isinstance(getattr(correction.change, name), values.Unchanged)]
    before = {_column(name): getattr(correction.place, PLACE_FIELDS[name]) for name in changed}
    after = {_column(name): getattr(correction.change, name) for name in changed}
    texts_before, texts_after = changed_texts(correction)
    return PlaceCorrectionBody(
        place_id=correction.place.place_id,
        name=correction.place.name,
        before=before | texts_before,
        after=after | texts_after,
    )


def _column(field: str) -> str:
    """Return the name of a field's column in a manifest, for example ``hidden``."""
    return field.removeprefix("is_")


def _correction_bodies(upload: Upload, corrected: PlaceCorrections, *, dry_run: bool) -> list[AddOutcome]:
    """List the results of a manifest's texts and recordings: all if it came without photos, else the refused ones."""
    bodies = []
    refused = list(corrected.refused)
    if upload.corrections:
        fields = "texts and recordings" if any(place.recordings for place in corrected.changes) else "texts"
        texts = f"the {fields} of {corrected.changed} places {'would be' if dry_run else 'were'} corrected"
        bodies.append(AddOutcome(filename=MANIFEST, status="planned" if dry_run else "updated", reason=texts))
        refused += [InvalidRequest(f"no place {place_id[:200]!r}") for place_id in corrected.unknown]
    bodies += [
        AddOutcome(filename=MANIFEST, status="rejected", code=find_row(CORE_ERRORS, reason).code, reason=str(reason))
        for reason in refused
    ]
    return bodies


def _planned_places(submissions: Sequence[Submission], results: Sequence[AddOutcome]) -> list[PlannedPlace]:
    """List the places of accepted photos, in the order of their first photo."""
    found: dict[str, PlannedPlace] = {}
    for number, (submission, result) in enumerate(zip(submissions, results, strict=False)):
        if result.status in ("added", "duplicate", "planned"):
            place = submission.place
            key = f"place {place.place_id}" if place else f"photo {number}"
            name = place.name if place else PurePosixPath(submission.filename).stem
            known = found.setdefault(key, PlannedPlace(id=place.place_id if place else None, name=name, images=0))
            known.images += 1
    return list(found.values())
