"""Cells that say yes or no, in the words of several languages."""

from collections.abc import Iterable

from core.building.vocabulary import read_words
from core.errors import InvalidRequest

_WRITTEN = {"en": ("no", "yes"), "zh": ("否", "是")}


def says_yes(cell: str) -> bool:
    """Say whether a cell means yes; anything else is no."""
    return cell.casefold() in read_words("marks")["yes"]


def read_mark(cell: str, where: str) -> bool | None:
    """Read yes or no; None of an empty cell.

    Args:
        cell: without blanks around it.
        where: it stands, for the message.

    Raises:
        InvalidRequest: the cell says something else.
    """
    if says_yes(cell):
        return True
    if cell and cell.casefold() not in read_words("marks")["no"]:
        raise InvalidRequest(f"{where} {cell!r:.80} is neither yes nor no")
    return False if cell else None


def write_mark(is_true: bool | None, language: str) -> str:
    """Write a cell that ``read_mark`` reads, in English or Chinese (``zh``)."""
    return "" if is_true is None else _WRITTEN.get(language, _WRITTEN["en"])[is_true]


def first_marks(marks: Iterable[tuple[str, bool | None]]) -> dict[str, bool]:
    """Return what is said first of every key, of those of which anything is said."""
    first = dict[str, bool]()
    for key, mark in marks:
        if mark is not None:
            first.setdefault(key, mark)
    return first
