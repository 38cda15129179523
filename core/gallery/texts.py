"""A place's texts and recordings by language: as JSON, and how changes are applied to them."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace

from core.gallery.languages import check_language
from core.gallery.values import TextChange, Unchanged
from core.results import PlaceText, Recording

_WHERE_PRESENT = ("transcript", "recording")
"""Fields that are written only where they say something, so that texts without them are written as they always were."""


def texts_to_json(texts: Mapping[str, PlaceText]) -> str:
    """Write texts without their recordings as JSON, the same for the same texts; ``{}`` where there are none."""
    written = {
        tag: {name: value for name, value in asdict(text).items() if value or name not in _WHERE_PRESENT}
        for tag, text in sorted(without_recordings(texts).items())
    }
    return json.dumps(written, ensure_ascii=False)


def recordings_to_json(texts: Mapping[str, PlaceText]) -> str:
    """Write the recordings alone, as ``texts_to_json`` writes the rest."""
    recordings = {tag: asdict(text.recording) for tag, text in sorted(texts.items()) if text.recording is not None}
    return json.dumps(recordings)


def texts_from_json(texts: str, recordings: str) -> dict[str, PlaceText]:
    """Read what ``texts_to_json`` and ``recordings_to_json`` wrote."""
    read = {tag: PlaceText(**fields) for tag, fields in json.loads(texts).items()}
    for tag, recording in recordings_from_json(recordings).items():
        read[tag] = replace(read.get(tag, PlaceText()), recording=recording)
    return read


def recordings_from_json(recordings: str) -> dict[str, Recording]:
    """Read what ``recordings_to_json`` wrote."""
    return {tag: Recording(**fields) for tag, fields in json.loads(recordings).items()}


def without_recordings(texts: Mapping[str, PlaceText]) -> dict[str, PlaceText]:
    """The texts alone; one that has nothing but a recording is left out."""
    return _saying_something({tag: replace(text, recording=None) for tag, text in texts.items()})


def with_recording(
    texts: Mapping[str, PlaceText], tag: str, recording: Recording | None
) -> tuple[dict[str, PlaceText], Recording | None]:
    """Set or remove the recording in one language; its transcript goes with it.

    Returns:
        The texts, and the former recording.
    """
    text = texts.get(tag, PlaceText())
    transcript = text.transcript if recording is not None else ""
    changed = {**texts, tag: replace(text, recording=recording, transcript=transcript)}
    return _saying_something(changed), text.recording


def fill_texts(texts: Mapping[str, PlaceText], further: Mapping[str, PlaceText]) -> dict[str, PlaceText]:
    """Add what is missing: languages, and in a language the text, or the recording with its transcript."""
    both = texts.keys() & further.keys()
    return {**further, **texts, **{tag: _filled(texts[tag], further[tag]) for tag in both}}


def change_texts(texts: Mapping[str, PlaceText], changes: Mapping[str, TextChange | None]) -> dict[str, PlaceText]:
    """Apply changes; a text that says nothing any more is left out. A recording stays, and with None its transcript.

    Raises:
        InvalidRequest: a key of ``changes`` is not a language tag.
    """
    changed = dict(texts)
    for given, change in changes.items():
        tag = check_language(given)
        text = changed.get(tag, PlaceText())
        changed[tag] = _changed(text, change) if change is not None else _recording_alone(text)
    return _saying_something(changed)


def _filled(text: PlaceText, other: PlaceText) -> PlaceText:
    written = text if text.name or text.description else other
    spoken = text if text.recording or not other.recording else other
    return PlaceText(
        written.name,
        written.description,
        written.is_machine_translated,
        spoken.transcript or ("" if text.recording else text.transcript or other.transcript),
        spoken.recording,
    )


def _recording_alone(text: PlaceText) -> PlaceText:
    return PlaceText(transcript=text.transcript, recording=text.recording) if text.recording else PlaceText()


def _saying_something(texts: Mapping[str, PlaceText]) -> dict[str, PlaceText]:
    return {
        tag: text for tag, text in texts.items() if text.name or text.description or text.transcript or text.recording
    }


def _changed(text: PlaceText, change: TextChange) -> PlaceText:
    name = text.name if isinstance(change.name, Unchanged) else change.name
    description = text.description if isinstance(change.description, Unchanged) else change.description
    is_machine = change.is_machine_translated
    if isinstance(is_machine, Unchanged):
        is_machine = text.is_machine_translated and (name, description) == (text.name, text.description)
    transcript = text.transcript if isinstance(change.transcript, Unchanged) else change.transcript
    return replace(text, name=name, description=description, is_machine_translated=is_machine, transcript=transcript)
