"""Several photos of a place as one candidate, for verifiers that are shown them in one question."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import TypeVar

from core.results import Photo

Item = TypeVar("Item")


def by_place(items: Sequence[Item], place: Callable[[Item], Hashable], most: int) -> list[list[Item]]:
    """Divide items into groups of one place.

    Args:
        items: in order.
        place: of an item.
        most: items of a group, >= 1; a place with more has several groups.

    Returns:
        The groups in the order of their first items, which are the candidates; the others of a group are its views.
    """
    groups: list[list[Item]] = []
    latest: dict[Hashable, list[Item]] = {}
    for item in items:
        group = latest.get(place(item))
        if group is None or len(group) == most:
            group = latest[place(item)] = []
            groups.append(group)
        group.append(item)
    return groups


def as_candidate(photos: Sequence[Photo]) -> Photo:
    """Join the photos of a group: the first one, with the others as its views."""
    first, *views = photos
    return replace(first, views=tuple(views))
