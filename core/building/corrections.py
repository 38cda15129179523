"""Texts of places that a manifest gives anew: each thing it says goes before what is on record."""

import unicodedata
from collections.abc import Iterable

from core.building.manifests import ManifestRow
from core.gallery.values import ImageChange


def corrections(rows: Iterable[tuple[str, ManifestRow]]) -> dict[str, ImageChange]:
    """Gather what rows say of places, by place id; of several rows of one place the first that says a thing counts.

    Args:
        rows: each with the id of the place that its photo shows.
    """
    said: dict[str, dict[str, object]] = {}
    for place_id, row in rows:
        texts = said.setdefault(unicodedata.normalize("NFC", place_id), {})
        for name in ("place_name", "description", "metadata", "latitude", "longitude"):
            value = getattr(row, name)
            if value not in ("", {}, None):
                texts.setdefault(name, value)
    return {place_id: ImageChange(**texts) for place_id, texts in said.items() if texts}  # type: ignore[arg-type]
