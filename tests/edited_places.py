"""Edits that can be told apart afterwards: every field of one carries its number."""

from core.results import Place


def edited_place(image_id: str, number: int) -> Place:
    """What an image shows after edit ``number`` of it, a place of its own."""
    return Place(
        place_id=f"{image_id} moved {number}",
        name=f"Name {number}",
        description=f"Description {number}. " * 200,
        metadata={"edit": number},
        latitude=number % 90 + 0.5,
        longitude=-(number % 180) - 0.5,
    )


def check_edits(image_id: str, place: Place, acknowledged: int, asked: int) -> None:
    """An acknowledged edit is there; one that was only asked for is there whole, or not at all.

    Args:
        image_id: of the image that was edited.
        place: what it shows now.
        acknowledged: the last edit that was; 0 for none.
        asked: the last one asked for, which may be the same.
    """
    number = place.metadata.get("edit", 0)
    assert number in (acknowledged, asked), f"edit {number} is there, {acknowledged} was acknowledged"
    assert number == 0 or place == edited_place(image_id, number)
