"""Which photos show the same exhibit, decided by folders and names: one rule for archives, folders and the page.

A folder is an exhibit. Its id is its whole path below the folder that holds everything, its name the last part. A
folder named as a view (``details``, 局部) beside photos belongs to the folder around it. Photos that lie beside
exhibits are exhibits of their own. Where all photos lie in one folder, nothing but their names can tell: titles name an
exhibit each; camera numbers and views (``IMG_0012``, ``front``, 正面) are photos of one.
"""

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, reduce
from pathlib import PurePosixPath
from typing import Literal

from core.building.vocabulary import read_words
from core.results import Place

Grouping = Literal["auto", "folder", "photo"]
"""``folder``: a folder is an exhibit; ``photo``: every photo is one; ``auto``: as names tell."""

_LONGEST_ID = 200

_GAP = r"[\s_\-–—.,+~()（）\[\]【】#&:：、]"
_HASH = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(?=[a-f]*[0-9])[0-9a-f]{16,}"
_WORD_ENDS = r"(?![^\W\d_])"


@dataclass(frozen=True, slots=True)
class Grouped:
    """Photos by exhibit.

    Attributes:
        places: one per photo, in the order given; None makes a photo an exhibit of its own.
        taken: what was decided.
    """

    places: tuple[Place | None, ...]
    taken: Literal["folder", "photo"]


def group_photos(paths: Sequence[str], grouping: Grouping, root_name: str = "") -> Grouped:
    """Say which exhibit each photo shows.

    Args:
        paths: of photos, relative, with forward slashes; nothing but photos, for a readme beside them means nothing.
        grouping: what is wanted.
        root_name: of the folder or archive in which the paths lie; names the exhibit of photos that lie in no folder.
    """
    if grouping == "photo" or not paths:
        return Grouped((None,) * len(paths), "photo")
    folders = _exhibit_folders([PurePosixPath(path).parent.parts for path in paths])
    around = reduce(_common, folders)
    if len(set(folders)) == 1:
        return _group_flat(paths, grouping, around[-1] if around else "", root_name)
    return Grouped(tuple(_place(folder[len(around) :]) for folder in folders), "folder")


def place_id_of_name(name: str) -> str:
    """The id of a place that is known by its name: the same name later means the same place."""
    if len(name) <= _LONGEST_ID:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{name[: _LONGEST_ID - 17]}-{digest}"


def _group_flat(paths: Sequence[str], grouping: Grouping, folder: str, root_name: str) -> Grouped:
    name = folder or root_name
    is_one = grouping == "folder" or (len(paths) == 1 and folder) or (len(paths) > 1 and not _are_titles(paths, name))
    if not name or not is_one:
        return Grouped((None,) * len(paths), "photo")
    return Grouped((_place((name,)),) * len(paths), "folder")


def _exhibit_folders(folders: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Each folder, or the one around it where it is named as a view of what lies there."""
    holding = set(folders)

    def exhibit(folder: tuple[str, ...]) -> tuple[str, ...]:
        while folder and folder[:-1] in holding and _patterns().view_folder.fullmatch(_folded(folder[-1])):
            folder = folder[:-1]
        return folder

    known = {folder: exhibit(folder) for folder in holding}
    return [known[folder] for folder in folders]


def _place(parts: tuple[str, ...]) -> Place | None:
    if not parts:
        return None
    parts = tuple(part.strip() or part for part in parts)  # as a manifest has the id: a cell loses spaces at its ends
    return Place(place_id_of_name("/".join(parts)), parts[-1])


def _are_titles(paths: Sequence[str], folder: str) -> bool:
    stems = [_folded(PurePosixPath(path).stem) for path in paths]
    titles = [stem for stem in stems if not _is_number_or_view(stem, _folded(folder))]
    if len(titles) * 2 <= len(stems):
        return False
    # One title with a view behind it each time (vase_front, vase_back) names one exhibit.
    shared = {_patterns().view_behind.sub("", stem) for stem in stems}
    return len(shared) > 1 or shared <= set(stems)


def _is_number_or_view(stem: str, folder: str) -> bool:
    rest = stem.replace(folder, " ") if len(folder) > 1 else stem
    return not rest.strip() or _patterns().number_or_view.fullmatch(rest[:200]) is not None


@dataclass(frozen=True, slots=True)
class _Patterns:
    """What names are made of; without backtracking, so that no name takes long to look at."""

    number_or_view: re.Pattern[str]
    view_folder: re.Pattern[str]
    view_behind: re.Pattern[str]


@cache
def _patterns() -> _Patterns:
    words = read_words("file_names")
    views, unspaced = _either(words["views"]), _either(words["unspaced_views"])
    (single,) = words["single_views"]
    camera = _either([*words["camera"], *words["views"]])
    number = rf"(?:{_HASH})(?![^\W_])|[0-9]++"
    any_token = rf"{number}|(?:{camera}|[a-z]){_WORD_ENDS}|{_either(words['unspaced_camera'])}|{unspaced}|[{single}]"
    view = rf"(?:{views}){_WORD_ENDS}|{unspaced}|[{single}]"
    behind = rf"{_GAP}++(?:{views}){_WORD_ENDS}|{_GAP}*+(?:{unspaced})"
    return _Patterns(
        number_or_view=re.compile(rf"{_GAP}*+(?>(?:{any_token}){_GAP}*+)++"),
        view_folder=re.compile(rf"{_GAP}*+(?>(?:{view}){_GAP}*+)++"),
        view_behind=re.compile(rf"(?:{behind})[0-9\s_\-.()（）]*+$"),
    )


def _either(words: Sequence[str]) -> str:
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True))


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def _common(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    length = 0
    for mine, its in zip(one, other, strict=False):
        if mine != its:
            break
        length += 1
    return one[:length]
