"""Which of the photos just added are unfit to be recognised by."""

from collections.abc import Sequence

from core.errors import SemanticMatchError
from core.gallery import Gallery
from core.gallery.values import AddResult
from core.gallery_health.photo_quality import Fault, measure_photo
from services.retrieval.uploads.indexing import AddOutcome


def find_faults(gallery: Gallery, outcomes: Sequence[AddOutcome]) -> list[tuple[Fault, ...]]:
    """Measure the photos that were added, in a few milliseconds per photo.

    Returns:
        The faults of every outcome, see ``PhotoQuality.faults``; none of photos that were not added.
    """
    return [_faults(gallery, outcome) for outcome in outcomes]


def _faults(gallery: Gallery, outcome: AddOutcome) -> tuple[Fault, ...]:
    if not isinstance(outcome, AddResult) or outcome.status != "added":
        return ()
    image = outcome.image
    try:
        quality = measure_photo(gallery.preview_path(image.image_id))
    except (OSError, SemanticMatchError):  # deleted in the meantime, or the photos cannot be reached
        return ()
    return quality.faults(max(image.width, image.height))
