"""Texts and recordings of a manifest that is uploaded again: they replace the stored ones of its places."""

from collections.abc import Sequence
from dataclasses import replace

from contracts.images import AddFields
from core.building.corrections import correct_places
from core.building.grouping import place_id_of_name
from core.building.manifest_rows import ManifestRow
from core.building.manifests import MANIFEST
from core.building.recordings import DescribedPlace
from core.errors import InvalidRequest
from core.gallery import Gallery
from core.gallery.values import AddResult, PlaceCorrections
from services.retrieval.uploads.indexing import AddOutcome, Planned
from services.retrieval.uploads.submissions import Upload


def correct_texts(
    gallery: Gallery, fields: AddFields, upload: Upload, outcomes: Sequence[AddOutcome | Planned]
) -> PlaceCorrections:
    """Store the manifest's texts and recordings of the places that the upload's photos show.

    In a dry run, only say what differs.
    """
    described = [
        DescribedPlace(place_id, submission.row, submission.recordings)
        for submission, outcome in zip(upload.submissions, outcomes, strict=True)
        if submission.row is not None and (place_id := _place_of(submission.row, outcome))
    ]
    described += [
        DescribedPlace(row.named_place, row, recordings) for row, recordings in upload.corrections if row.named_place
    ]
    corrected = correct_places(gallery, fields.collection, described, dry_run=fields.dry_run)
    nameless = [
        InvalidRequest(f"{MANIFEST}, line {row.line}: it names no place; give place_id, or place_name")
        for row, _ in upload.corrections
        if not row.named_place
    ]
    return replace(corrected, refused=(*nameless, *corrected.refused))


def _place_of(row: ManifestRow, outcome: AddOutcome | Planned) -> str:
    """Return the id of the place that a photo shows; empty if it was refused, or will be a place of its own."""
    if not isinstance(outcome, AddResult | Planned):
        return ""
    named = row.place_id or place_id_of_name(row.place_name)
    return named or (outcome.image.place.place_id if isinstance(outcome, AddResult) else "")
