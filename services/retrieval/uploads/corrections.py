"""Texts of a manifest that is uploaded again: they replace the stored texts of its places."""

from collections.abc import Sequence
from dataclasses import replace

from contracts.images import AddFields
from core.building.corrections import corrections
from core.building.grouping import place_id_of_name
from core.building.manifests import MANIFEST
from core.gallery import Gallery
from core.gallery.values import AddResult, PlaceCorrections
from services.retrieval.uploads.indexing import AddOutcome
from services.retrieval.uploads.submissions import Upload


def correct_texts(
    gallery: Gallery, fields: AddFields, upload: Upload, outcomes: Sequence[AddOutcome]
) -> PlaceCorrections:
    """Store the manifest's texts of the places that the upload's photos show."""
    rows = [
        (row.place_id or place_id_of_name(row.place_name) or outcome.image.place.place_id, row)
        for submission, outcome in zip(upload.submissions, outcomes, strict=True)
        if isinstance(outcome, AddResult) and (row := submission.row) is not None
    ]
    rows += [(row.place_id or place_id_of_name(row.place_name), row) for row in upload.corrections if row.names_place]
    changes = corrections(rows)
    corrected = gallery.correct_places(fields.collection, changes) if changes else PlaceCorrections(0, ())
    nameless = [
        f"{MANIFEST}, line {row.line}: it names no place; give place_id, or place_name"
        for row in upload.corrections
        if not row.names_place
    ]
    return replace(corrected, refused=(*nameless, *corrected.refused))
