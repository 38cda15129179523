"""The library's values as the wire shows them."""

from collections.abc import Sequence
from typing import Any

from contracts.images import (
    AddOutcome,
    AddReply,
    CollectionList,
    CollectionSummaryBody,
    ImageBody,
    ImageChangeBody,
    ImagePageBody,
    PlaceBody,
    PlacePageBody,
    PlaceSummaryBody,
)
from contracts.retrieval import RetrievedCandidate
from core.gallery import values
from core.gallery.values import AddResult
from core.results import Candidate, GalleryImage, Place
from services.errors import CORE_ERRORS
from services.retrieval.uploads.indexing import AddOutcome as Added
from services.retrieval.uploads.submissions import Submission
from serving.errors import find_row


def place_body(place: Place) -> PlaceBody:
    """Show a place."""
    return PlaceBody(
        id=place.place_id,
        name=place.name,
        description=place.description,
        metadata=dict(place.metadata),
        latitude=place.latitude,
        longitude=place.longitude,
    )


def image_body(image: GalleryImage) -> ImageBody:
    """Show a gallery image; its URLs are those of the gateway, where the same routes exist."""
    return ImageBody(
        id=image.image_id,
        collection=image.collection,
        place=place_body(image.place),
        filename=image.filename,
        media_type=image.media_type,
        width=image.width,
        height=image.height,
        bytes=image.byte_size,
        content_hash=image.content_hash,
        added_at=image.added_at,
        file_url=f"/index/images/{image.image_id}/file",
        preview_url=f"/index/images/{image.image_id}/preview",
    )


def candidate_body(candidate: Candidate) -> RetrievedCandidate:
    """Show a candidate."""
    return RetrievedCandidate(
        image=image_body(candidate.image),
        similarity=candidate.similarity,
        rank=candidate.rank,
        local_score=candidate.local_score,
    )


def image_page(page: values.ImagePage) -> ImagePageBody:
    """Show one page of images."""
    return ImagePageBody(
        images=[image_body(image) for image in page.images], total=page.total, next_cursor=page.next_cursor
    )


def place_page(page: values.PlacePage) -> PlacePageBody:
    """Show one page of places."""
    summaries = [
        PlaceSummaryBody(
            **place_body(each.place).model_dump(),
            collection=each.collection,
            images=each.images,
            preview_url=f"/index/images/{each.first_image_id}/preview",
        )
        for each in page.places
    ]
    return PlacePageBody(places=summaries, total=page.total, next_cursor=page.next_cursor)


def collection_list(collections: list[values.CollectionSummary]) -> CollectionList:
    """Show all collections."""
    return CollectionList(collections=[collection_body(each) for each in collections])


def collection_body(collection: values.CollectionSummary) -> CollectionSummaryBody:
    """Show one collection."""
    return CollectionSummaryBody(id=collection.name, images=collection.images, places=collection.places)


def add_reply(collection: str, submissions: Sequence[Submission], outcomes: Sequence[Added]) -> AddReply:
    """Show what became of an upload.

    Args:
        collection: added to.
        submissions: what was sent.
        outcomes: one each.
    """
    results = [_outcome_body(*pair) for pair in zip(submissions, outcomes, strict=True)]
    return AddReply(
        collection=collection,
        added=sum(each.status == "added" for each in results),
        duplicates=sum(each.status == "duplicate" for each in results),
        rejected=sum(each.status == "rejected" for each in results),
        results=results,
    )


def change_from_body(body: ImageChangeBody) -> values.ImageChange:
    """Read a change. A field left out stays; null forgets a position and leaves everything else as it is."""
    given: dict[str, Any] = {
        name: value
        for name in body.model_fields_set
        if (value := getattr(body, name)) is not None or name in {"latitude", "longitude"}
    }
    return values.ImageChange(**given)


def _outcome_body(submission: Submission, outcome: Added) -> AddOutcome:
    if isinstance(outcome, AddResult):
        return AddOutcome(filename=submission.filename, status=outcome.status, image=image_body(outcome.image))
    code = find_row(CORE_ERRORS, outcome).code
    return AddOutcome(filename=submission.filename, status="rejected", reason=str(outcome), code=code)
