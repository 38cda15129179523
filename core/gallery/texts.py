"""A place's texts in further languages: as JSON, and how changes are applied to them."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace

from core.gallery.languages import check_language
from core.gallery.values import TextChange, Unchanged
from core.results import PlaceText


def texts_to_json(texts: Mapping[str, PlaceText]) -> str:
    """Write texts as JSON, the same for the same texts; ``{}`` where there are none."""
    return json.dumps({tag: asdict(text) for tag, text in sorted(texts.items())}, ensure_ascii=False)


def texts_from_json(text: str) -> dict[str, PlaceText]:
    """Read what ``texts_to_json`` wrote."""
    return {tag: PlaceText(**fields) for tag, fields in json.loads(text).items()}


def change_texts(texts: Mapping[str, PlaceText], changes: Mapping[str, TextChange | None]) -> dict[str, PlaceText]:
    """Apply changes; a text that says nothing any more is left out.

    Raises:
        InvalidRequest: a key of ``changes`` is not a language tag.
    """
    changed = dict(texts)
    for given, change in changes.items():
        tag = check_language(given)
        text = _changed(changed.get(tag, PlaceText()), change) if change is not None else PlaceText()
        if text.name or text.description:
            changed[tag] = text
        else:
            changed.pop(tag, None)
    return changed


def _changed(text: PlaceText, change: TextChange) -> PlaceText:
    name = text.name if isinstance(change.name, Unchanged) else change.name
    description = text.description if isinstance(change.description, Unchanged) else change.description
    is_machine = change.is_machine_translated
    if isinstance(is_machine, Unchanged):
        is_machine = text.is_machine_translated and (name, description) == (text.name, text.description)
    return replace(text, name=name, description=description, is_machine_translated=is_machine)
