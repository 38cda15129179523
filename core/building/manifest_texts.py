"""Columns of a manifest for one language, such as ``description.zh-Hans``, ``transcript.en`` and ``audio.en``."""

import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import suppress

from core.building.marks import says_yes, write_mark
from core.building.vocabulary import read_words
from core.errors import InvalidRequest
from core.gallery.languages import check_language
from core.gallery.values import UNCHANGED, TextChange, Unchanged

LanguageColumns = Mapping[tuple[str, str], int]
"""Where a column is, by language tag and field of a ``TextChange``, or ``recording``."""

TEXT_COLUMNS = {
    "name": "place_name",
    "description": "description",
    "transcript": "transcript",
    "is_machine_translated": "machine_translated",
}
"""Columns by field of a text, without the dot and the language tag."""

RECORDING_COLUMN = "audio"
"""The column of the file of a recording, likewise."""

_RECORDING = "recording"  # as the vocabulary calls it

_WRITTEN = {
    "en": tuple(TEXT_COLUMNS.values()),
    "zh": ("名称", "说明", "文字稿", "机器翻译"),
}
_WRITTEN_RECORDING = {"en": RECORDING_COLUMN, "zh": "录音"}


def plain_header(header: str) -> str:
    """Return a header as the vocabulary lists it: small letters and digits only."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", header).casefold()))


def language_columns(headers: Sequence[str]) -> LanguageColumns:
    """Find the columns whose headers end in a dot and a language tag; of several with one meaning, the first counts."""
    names = read_words("columns")
    meanings = {"name": names["place_name"], "description": names["description"], **read_words("text_columns")}
    columns: dict[tuple[str, str], int] = {}
    for at, header in enumerate(headers):
        before, _, tag = unicodedata.normalize("NFKC", header).partition(".")
        with suppress(InvalidRequest):
            for field in (field for field, known in meanings.items() if plain_header(before) in known):
                columns.setdefault((check_language(tag.strip()), field), at)
    return columns


def read_texts(cells: Sequence[str], columns: LanguageColumns) -> dict[str, TextChange]:
    """Read a row's texts by language tag. An empty cell says nothing of a text; beside a text, it is not marked."""
    texts: dict[str, TextChange] = {}
    for tag in {tag for tag, _ in columns}:
        given = {field: cell for field in TEXT_COLUMNS if (cell := _cell(cells, columns.get((tag, field)))) is not None}
        mark = given.pop("is_machine_translated", None)
        is_machine = UNCHANGED if mark is None else says_yes(mark)
        written = {field: cell for field, cell in given.items() if cell}
        if written:
            texts[tag] = TextChange(**written, is_machine_translated=is_machine)
    return texts


def read_recordings(cells: Sequence[str], columns: LanguageColumns) -> dict[str, str]:
    """Read which files a row names as recordings, by language tag. An empty cell says nothing, as of a text."""
    named = {tag: _cell(cells, at) for (tag, field), at in columns.items() if field == _RECORDING}
    return {tag: file for tag, file in named.items() if file}


def _cell(cells: Sequence[str], at: int | None) -> str | None:
    """The content of a cell; None where there is no such column."""
    if at is None:
        return None
    return cells[at].strip() if at < len(cells) else ""


def text_headers(tags: Sequence[str], language: str) -> list[str]:
    """Return the headers of texts in further languages, which ``language_columns`` finds.

    Args:
        tags: of these languages.
        language: of the headers, ``en`` or ``zh``.
    """
    columns = _WRITTEN.get(language, _WRITTEN["en"])
    return [f"{column}.{tag}" for tag in tags for column in columns]


def recording_headers(tags: Sequence[str], language: str) -> list[str]:
    """Return the headers of recordings in these languages; arguments as of ``text_headers``."""
    column = _WRITTEN_RECORDING.get(language, RECORDING_COLUMN)
    return [f"{column}.{tag}" for tag in tags]


def text_cells(texts: Mapping[str, TextChange], tags: Sequence[str], language: str) -> list[str]:
    """Return a row's cells below ``text_headers``."""
    cells = list[str]()
    for text in (texts.get(tag, TextChange()) for tag in tags):
        written = (text.name, text.description, text.transcript)
        cells += ["" if isinstance(value, Unchanged) else value for value in written]
        cells.append(write_mark(text.is_machine_translated is True or None, language))
    return cells


def first_of_each(earlier: TextChange, later: TextChange) -> TextChange:
    """Join two rows' texts of one place; what the earlier row says counts."""
    return TextChange(
        earlier.name if earlier.name is not UNCHANGED else later.name,
        earlier.description if earlier.description is not UNCHANGED else later.description,
        earlier.is_machine_translated
        if earlier.is_machine_translated is not UNCHANGED
        else later.is_machine_translated,
        earlier.transcript if earlier.transcript is not UNCHANGED else later.transcript,
    )
