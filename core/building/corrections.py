"""Changed texts of places in a manifest: what it contains replaces the stored texts."""

import unicodedata
from collections.abc import Iterable
from typing import Any

from core.building.manifest_rows import ManifestRow
from core.building.manifest_texts import first_of_each
from core.gallery.values import PLACE_FIELDS, ImageChange, TextChange


def corrections(rows: Iterable[tuple[str, ManifestRow]]) -> dict[str, ImageChange]:
    """Collect the texts of rows by place id; of several rows of one place, the first with a value counts.

    Args:
        rows: each with the id of the place that its photo shows.
    """
    texts_of: dict[str, dict[str, Any]] = {}
    for place_id, row in rows:
        texts = texts_of.setdefault(unicodedata.normalize("NFC", place_id), {})
        for name in PLACE_FIELDS:
            value = getattr(row, name)
            if value not in ("", {}, None):
                texts.setdefault(name, value)
        for tag, text in row.texts.items():
            known = texts.setdefault("texts", {})
            known[tag] = first_of_each(known.get(tag, TextChange()), text)
    return {place_id: ImageChange(**texts) for place_id, texts in texts_of.items() if texts}
