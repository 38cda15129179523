"""Which of a place's texts a reader gets, and how they look."""

from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Header

from contracts.texts import AudioBody, PlaceTextBody, ShownAudio, ShownText
from core.building.manifest_texts import RECORDING_COLUMN, TEXT_COLUMNS
from core.building.recordings import recording_path
from core.gallery import Gallery
from core.gallery.languages import choose_language
from core.gallery.texts import change_texts, without_recordings
from core.gallery.values import PlaceCorrection, Unchanged
from core.results import Place, PlaceText, Recording
from services.retrieval.replies.markdown import render_markdown
from serving.languages import wished_languages
from serving.path_prefix import link

AcceptLanguage = Annotated[
    str | None,
    Header(alias="Accept-Language", description="languages of the texts in `shown`"),
]


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads the texts of a collection.

    Attributes:
        wished: language tags, the best first.
        own: tag of the collection's own language; empty where it is not known.
        collection: its name.
    """

    wished: tuple[str, ...]
    own: str
    collection: str


def reader_of(gallery: Gallery, collection: str, accept_language: str | None) -> Reader:
    """Read whom an answer about a collection is for."""
    return Reader(tuple(wished_languages(accept_language)), gallery.language(collection), collection)


def shown_text(place: Place, reader: Reader) -> ShownText:
    """Choose name, description and recording, each of the texts that have one, and render what is Markdown."""
    name_language, named = _best(place, reader, "name")
    language, described = _best(place, reader, "description")
    return ShownText(
        name=named.name,
        name_language=name_language or None,
        description=described.description,
        language=language or None,
        html=render_markdown(described.description),
        audio=_shown_audio(place, reader),
        machine_translated=named.is_machine_translated or described.is_machine_translated,
    )


def text_bodies(place: Place) -> dict[str, PlaceTextBody]:
    """Translate the texts in further languages."""
    return {
        tag: PlaceTextBody(
            name=text.name,
            description=text.description,
            machine_translated=text.is_machine_translated,
            transcript=text.transcript,
        )
        for tag, text in sorted(without_recordings(place.texts).items())
    }


def recording_bodies(collection: str, place: Place) -> dict[str, AudioBody]:
    """Translate the recordings, by language."""
    return {
        tag: AudioBody(**_audio(collection, place, tag, text.recording))
        for tag, text in sorted(place.texts.items())
        if text.recording is not None
    }


def changed_texts(correction: PlaceCorrection) -> tuple[dict[str, str | bool], dict[str, str | bool]]:
    """Return what a correction changes of the texts in further languages, before and after, by column of a manifest.

    Recordings are among them: the former one as an export names it, the new one as its owner does.
    """
    before, after = dict[str, str | bool](), dict[str, str | bool]()
    for tag, new in sorted(correction.recordings.items()):
        former_recording = correction.place.texts.get(tag, PlaceText()).recording
        before[f"{RECORDING_COLUMN}.{tag}"] = recording_path(former_recording) if former_recording else ""
        after[f"{RECORDING_COLUMN}.{tag}"] = new.name
    if isinstance(correction.change.texts, Unchanged):
        return before, after
    former = correction.place.texts
    current = change_texts(former, correction.change.texts)
    for tag in sorted({*former, *current}):
        was, will_be = (texts.get(tag, PlaceText()) for texts in (former, current))
        for field, column in TEXT_COLUMNS.items():
            if getattr(was, field) != getattr(will_be, field):
                before[f"{column}.{tag}"] = getattr(was, field)
                after[f"{column}.{tag}"] = getattr(will_be, field)
    return before, after


def _shown_audio(place: Place, reader: Reader) -> ShownAudio | None:
    spoken = {tag: text.recording for tag, text in place.texts.items() if text.recording is not None}
    chosen = choose_language(spoken, reader.wished, reader.own)
    tag = chosen if chosen in spoken else min(spoken, default=None)
    if tag is None:
        return None
    return ShownAudio(
        **_audio(reader.collection, place, tag, spoken[tag]),
        language=tag,
        transcript_html=render_markdown(place.texts[tag].transcript),
    )


def _audio(collection: str, place: Place, tag: str, recording: Recording) -> dict[str, Any]:
    address = urlencode({"collection": collection, "place_id": place.place_id, "language": tag})
    url = link(f"/index/places/audio?{address}")
    return {"url": url, "media_type": recording.media_type, "bytes": recording.byte_size}


def _best(place: Place, reader: Reader, field: str) -> tuple[str, PlaceText]:
    """Return the text that has a field, and its tag: the chosen one, else the collection's own, else any."""
    own = PlaceText(place.name, place.description)
    written = {tag: text for tag, text in place.texts.items() if getattr(text, field)}
    chosen = choose_language(written, reader.wished, reader.own)
    first = [(tag, written[tag]) for tag in dict.fromkeys((chosen, reader.own)) if tag in written]
    texts = [*first, (reader.own, own), *sorted(written.items())]
    return next((found for found in texts if getattr(found[1], field)), ("", PlaceText()))
