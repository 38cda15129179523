"""Changed texts and recordings of places in a manifest: what it contains replaces what is stored."""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from core.building.manifest_rows import ManifestRow
from core.building.manifest_texts import first_of_each
from core.building.recordings import DescribedPlace, RecordingCheck
from core.errors import ImageTooLarge, InvalidRequest, SemanticMatchError, UnsupportedAudio
from core.gallery import Gallery
from core.gallery.values import PLACE_FIELDS, ImageChange, NewRecording, PlaceCorrections, TextChange

_BYTES_AT_ONCE = 64 * 1024 * 1024  # of recordings, while others that write wait

_Recordings = Mapping[str, Mapping[str, NewRecording]]


def correct_places(
    gallery: Gallery, collection: str, described: Sequence[DescribedPlace], *, dry_run: bool = False
) -> PlaceCorrections:
    """Store the texts and recordings that a manifest has of existing places, if they differ from the stored ones.

    Of every place all changes are stored or none. All places are changed at once, or in parts if their recordings are
    large.

    Args:
        gallery: that holds the places.
        collection: of the places.
        described: the rows of the manifest.
        dry_run: say what would change, and change nothing.

    Raises:
        GalleryUnavailable: not everything was stored; the same manifest sent again stores the rest.
    """
    changes = corrections((place.place_id, place.row) for place in described)
    recordings, refused = dict[str, Mapping[str, NewRecording]](), list[SemanticMatchError]()
    check = RecordingCheck(gallery, collection)
    for place_id, rows in _by_place(described).items():
        try:
            new = check.of_place(rows)
        except (ImageTooLarge, UnsupportedAudio, InvalidRequest) as error:
            refused.append(error)
            changes.pop(place_id, None)
            continue
        if new:
            recordings[place_id] = new
            changes.setdefault(place_id, ImageChange())
    results = [
        gallery.correct_places(collection, part, recordings, dry_run=dry_run) for part in _parts(changes, recordings)
    ]
    return PlaceCorrections(
        tuple(chain.from_iterable(result.changes for result in results)),
        tuple(chain.from_iterable(result.unknown for result in results)),
        (*refused, *chain.from_iterable(result.refused for result in results)),
    )


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


def _by_place(described: Iterable[DescribedPlace]) -> dict[str, list[DescribedPlace]]:
    """Group the rows that name recordings, by the place ids of ``corrections``."""
    places: dict[str, list[DescribedPlace]] = {}
    for place in described:
        if place.row.recordings:
            places.setdefault(unicodedata.normalize("NFC", place.place_id), []).append(place)
    return places


def _parts(changes: Mapping[str, ImageChange], recordings: _Recordings) -> Iterator[dict[str, ImageChange]]:
    part, part_bytes = dict[str, ImageChange](), 0
    for place_id, change in changes.items():
        added = sum(new.recording.byte_size for new in recordings.get(place_id, {}).values())
        if part and added and part_bytes + added > _BYTES_AT_ONCE:
            yield part
            part, part_bytes = {}, 0
        part[place_id] = change
        part_bytes += added
    if part:
        yield part
