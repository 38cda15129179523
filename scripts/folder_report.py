"""Prints an overview of a folder of photos before a script processes them."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from core.building.labels import PhotoFolder

_SHOWN = 10
_MEANINGS = {
    "manifest": "as its manifest says",
    "folder": "a place for each folder",
    "photo": "a place for each photo",
}


def print_findings(found: PhotoFolder, folder: Path) -> None:
    """Print how photos are grouped, the first places, and the skipped files."""
    places = Counter((photo.place.place_id, photo.place.name) for photo in found.photos if photo.place is not None)
    lines = [f"  {name}: {count} photos" for (_, name), count in places.items()]
    lines += [f"  {Path(photo.filename).stem}: 1 photo" for photo in found.photos if photo.place is None]
    if found.photos:
        print(f"{folder}: {len(found.photos)} photos, {_MEANINGS[found.taken]}: {len(lines)} places")
    print_first(lines)
    for note in found.notes:
        print(f"note: {note.message}")
    print_first(found.missing)
    others = Counter(reason for _, reason in found.skipped)
    for reason, count in others.items():
        print(f"left out, {reason}: {count}")
        print_first([f"  {path}" for path, why in found.skipped if why == reason])


def print_first(lines: Sequence[str]) -> None:
    """Print the first lines and the number of the others."""
    for line in lines[:_SHOWN]:
        print(line)
    if len(lines) > _SHOWN:
        print(f"  ... and {len(lines) - _SHOWN} more")
