"""Which encoding bytes of unknown origin are in, decided by what reads as text.

ZIP archives and CSV files often do not name their encoding. Most bytes can be decoded in several ways, so each way is
scored by how ordinary its characters are in the languages that use it.
"""

import codecs
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from types import MappingProxyType

from core.building.vocabulary import read_characters
from core.errors import InvalidRequest

# Half-width katakana: what other encodings look like in Shift-JIS.
_HALF_WIDTH_KANA = ("\uff61", "\uff9f")

_APOSTROPHES = "\u02b9\u02bb\u02bc\u02be\u02bf"
# So many different ones are in no text of another encoding of which every byte happens to be UTF-8.
_MANY_CHARACTERS = 8


def _weigh_chinese(character: str, codec: str) -> float:
    frequent = read_characters()
    if character in frequent["simplified"] or (codec == "big5" and character in frequent["traditional"]):
        return 1.0
    coded = character.encode(codec)
    if len(coded) != 2:
        return 0.0
    if codec == "big5":
        return 0.5 if coded[0] < 0xA4 or 0xA4 <= coded[0] <= 0xC6 else 0.15
    if coded[1] < 0xA1 or not 0xA1 <= coded[0] <= 0xF7:
        return 0.05  # of GBK's rare part
    return 0.3 if coded[0] < 0xB0 else 0.5 if coded[0] <= 0xD7 else 0.25


def _weigh_japanese(character: str) -> float:
    frequent = read_characters()
    if "\u3040" <= character <= "\u30ff" or character in frequent["japanese"]:
        return 1.0
    if _HALF_WIDTH_KANA[0] <= character <= _HALF_WIDTH_KANA[1]:
        return 0.05
    coded = character.encode("cp932")
    if len(coded) != 2:
        return 0.0
    if character in frequent["traditional"] | frequent["simplified"]:
        return 0.8
    return 0.5 if coded[0] <= 0x98 else 0.1


def _weigh_korean(character: str) -> float:
    if character in read_characters()["korean"]:
        return 1.0
    coded = character.encode("cp949")
    if len(coded) != 2 or coded[1] < 0xA1:
        return 0.0
    return 0.5 if 0xB0 <= coded[0] <= 0xC8 else 0.1


def _weigh_russian(text: str) -> float:
    letters = [character for character in text if "\u0400" <= character <= "\u045f"]
    others = sum(not character.isascii() for character in text) - len(letters)
    # Capitals inside words are what other encodings look like.
    odd = sum(one.islower() and other.isupper() for one, other in pairwise(text))
    odd += sum(one.isalpha() and other.isalpha() and one.isascii() != other.isascii() for one, other in pairwise(text))
    return max(0.0, (0.95 * len(letters) - odd) / max(1, len(letters) + others))


def _weigh_western(text: str) -> float:
    total = score = 0.0
    for before, character, after in zip(" " + text, text, text[1:] + " ", strict=False):
        if not character.isascii():
            total += 1
            is_inside = any(other.isalpha() and other.isascii() for other in (before, after))
            is_odd = character.isupper() and before.islower()
            if is_inside and character.isalpha() and not is_odd:
                score += 0.9 if character in read_characters()["western"] else 0.4
    return score / max(1.0, total)


def _mean(weigh: Callable[[str], float]) -> Callable[[str], float]:
    def score(text: str) -> float:
        characters = {character for character in text if not character.isascii()}
        return sum(map(weigh, characters)) / max(1, len(characters))

    return score


_SCORES: Mapping[str, Callable[[str], float]] = MappingProxyType(
    {
        "gb18030": _mean(lambda character: _weigh_chinese(character, "gb18030")),
        "big5": _mean(lambda character: _weigh_chinese(character, "big5")),
        "cp932": _mean(_weigh_japanese),
        "cp949": _mean(_weigh_korean),
        "cp866": _weigh_russian,
        "cp850": _weigh_western,
        "cp1252": _weigh_western,
    }
)

ENCODING_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "utf-8": "UTF-8",
        "utf-16": "UTF-16",
        "gb18030": "GB18030",
        "big5": "Big5",
        "cp932": "Shift-JIS",
        "cp949": "EUC-KR",
        "cp866": "cp866",
        "cp850": "cp850",
        "cp1252": "Windows-1252",
    }
)
"""What people call each encoding, by Python's name of it."""

ZIP_ENCODINGS = ("gb18030", "big5", "cp932", "cp949", "cp866", "cp850", "cp1252")
"""In which names of a ZIP archive may be, besides UTF-8."""

CSV_ENCODINGS = ("gb18030", "big5", "cp932", "cp949", "cp1252")
"""In which spreadsheet programs write CSV, besides UTF-8 and UTF-16."""


def is_utf8(pieces: Iterable[bytes], *, is_marked: bool = False) -> bool:
    """Say whether all pieces are UTF-8 text: decodable, and without words that mix scripts.

    Some short words of other encodings happen to be decodable, such as 展品 in GB18030, and give an Armenian letter
    beside a Latin one. No longer text of another encoding is decodable by chance.

    Args:
        pieces: of one origin.
        is_marked: they begin with UTF-8's byte order mark, which no other text has.
    """
    try:
        text = b"\n".join(pieces).decode()
    except UnicodeDecodeError:
        return False
    if is_marked or len({character for character in text if not character.isascii()}) >= _MANY_CHARACTERS:
        return True
    return not any(_mixes_scripts(one, other) for one, other in pairwise(text))


def _mixes_scripts(one: str, other: str) -> bool:
    if not all("\x7f" < letter < "\u0800" and letter.isalpha() for letter in (one, other)):
        return False
    # Apostrophes of Hawaiian, Ukrainian and of transliterations are letters of no script.
    beside = [letter for letter in (one, other) if letter not in _APOSTROPHES]
    if len(beside) == 1:
        return not (beside[0].islower() and _script(beside[0]) in ("LATIN", "CYRILLIC"))
    return _script(one) != _script(other)


def _script(letter: str) -> str:
    return unicodedata.name(letter, "").partition(" ")[0]


def guess_encoding(pieces: Iterable[bytes], candidates: Iterable[str]) -> str | None:
    """Name the encoding in which all pieces read best as text.

    Args:
        pieces: none of them UTF-8 as a whole; scored together.
        candidates: the earlier one wins where two read equally well.

    Returns:
        Python's name of it, or None where some piece can be decoded in none of them.
    """
    data = b"\n".join(pieces)
    best, best_score = None, -1.0
    for candidate in candidates:
        try:
            text = data.decode(candidate)
        except UnicodeDecodeError:
            continue
        if any(unicodedata.category(character) == "Cc" and character not in "\t\n\r" for character in text):
            continue
        score = _SCORES[candidate](text)
        if score > best_score + 1e-9:
            best, best_score = candidate, score
    return best


def decode_csv(data: bytes, name: str) -> tuple[str, str]:
    """Decode a CSV file: UTF-8, UTF-16, or what a spreadsheet program of the region writes.

    Args:
        data: of the file.
        name: of the file, for messages.

    Returns:
        The text, and Python's name of the encoding.

    Raises:
        InvalidRequest: it is no text, or in none of these encodings.
    """
    if data.startswith(b"PK\3\4"):
        raise InvalidRequest(f"{name} is an Excel workbook, not CSV; in Excel, save as 'CSV UTF-8'")
    try:
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            return data.decode("utf-16"), "utf-16"
        little, big = data[1:4000:2].count(0), data[:4000:2].count(0)
        if len(data) % 2 == 0 and 8 * max(little, big) > len(data[:4000]):  # what is ASCII in it has a zero each
            return data.decode("utf-16-le" if little > big else "utf-16-be"), "utf-16"
    except UnicodeDecodeError:
        raise InvalidRequest(f"{name} is no text: it begins as UTF-16 and ends as something else") from None
    is_marked = data.startswith(codecs.BOM_UTF8)
    data = data.removeprefix(codecs.BOM_UTF8)
    if data.isascii() or is_utf8([data], is_marked=is_marked):
        return data.decode(), "utf-8"
    guessed = None if b"\0" in data else guess_encoding([data], CSV_ENCODINGS)
    if guessed is None:
        raise InvalidRequest(
            f"{name} is no text in UTF-8, UTF-16, GB18030 or Windows-1252; in Excel, save as 'CSV UTF-8'"
        )
    return data.decode(guessed), guessed
