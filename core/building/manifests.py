"""Manifests: CSV files that say what photos show, as spreadsheet programs write them.

The columns are ``file`` (relative path, required), ``place_id``, ``place_name``, ``description``, ``latitude``,
``longitude``, ``metadata`` (a JSON object), ``hidden`` (``yes``: no answer names the place), ``role`` (``query``: a
photo to ask with; all others are references) and ``source_repo``; ``vocabulary.toml`` lists their other names. Names
and descriptions in further languages have columns such as ``description.en``, recordings such as ``audio.en``; see
``core.building.manifest_texts``. A row that names no place makes a reference an exhibit of its own; for a query it
says that the right answer is "not in the collection".
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import PurePosixPath
from typing import Any

from core.building.file_names import normal_path
from core.building.manifest_rows import ManifestRow, Role
from core.building.manifest_texts import (
    RECORDING_COLUMN,
    language_columns,
    plain_header,
    read_recordings,
    read_texts,
    recording_headers,
    text_cells,
    text_headers,
)
from core.building.marks import first_marks, read_mark, write_mark
from core.building.spreadsheets import as_text
from core.building.text_encodings import decode_csv
from core.building.vocabulary import read_words
from core.errors import InvalidRequest
from core.gallery.values import TextChange

MANIFEST = "manifest.csv"
# Far more than anyone names; every row is filled up to the header's length, so rows cost what columns cost.
_MAX_COLUMNS = 320
_DELIMITERS = ",;\t"

_TEMPLATE = {
    "en": (
        ("file", "place_id", "place_name", "description", "latitude", "longitude"),
        ("hall1/vase-front.jpg", "0012", "Blue and white vase", "What visitors read.", "39.9163", "116.3972"),
    ),
    "zh": (
        ("文件", "编号", "名称", "说明", "纬度", "经度"),
        ("一号厅/青花瓷瓶-正面.jpg", "0012", "青花瓷瓶", "观众看到的说明文字。", "39.9163", "116.3972"),
    ),
}


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest that has been read.

    Attributes:
        rows: in order, without blank ones.
        encoding: in which the file is, a key of ``ENCODING_NAMES``.
        unused_columns: headers that mean nothing here.
    """

    rows: tuple[ManifestRow, ...]
    encoding: str
    unused_columns: tuple[str, ...]


def parse_manifest(data: bytes, *, max_rows: int | None = None) -> Manifest:
    """Read a manifest: comma, semicolon or tab; UTF-8, UTF-16 or what a spreadsheet program of the region writes.

    Args:
        data: of the file.
        max_rows: how many photos it may name; None for any number.

    Raises:
        InvalidRequest: a column is missing, a value is not what it must be, or there are too many rows; the message
            names the line where one is to blame.
    """
    text, encoding = decode_csv(data, MANIFEST)
    lines = _lines(text)
    headers, columns = _read_header(lines)
    languages = language_columns(headers.cells)
    used = {*columns.values(), *languages.values()}
    rows = list[ManifestRow]()
    for cells, line in _cells(lines, headers.delimiter, headers.skipped):
        if not any(cells[at].strip() for at in used if at < len(cells)):
            continue  # blank, or a remark beside the columns
        row = {name: cells[at].strip() for name, at in columns.items() if at < len(cells)}
        if len(rows) == max_rows:
            raise InvalidRequest(f"{MANIFEST} has too many rows; at most {max_rows:,} are accepted")
        rows.append(_parse_row(row, read_texts(cells, languages), read_recordings(cells, languages), line))
    unused = tuple(name for at, name in enumerate(headers.cells) if at not in used and name.strip())
    hidden = first_marks((row.named_place, row.is_hidden) for row in rows if row.named_place)
    marked = tuple(replace(row, is_hidden=hidden.get(row.named_place, row.is_hidden)) for row in rows)
    return Manifest(marked, encoding, unused)


def manifest_template(language: str) -> bytes:
    """A manifest to fill in: CSV in UTF-8 with the byte order mark by which spreadsheet programs know it.

    Args:
        language: of its headers, ``en`` or ``zh``.
    """
    text = io.StringIO()
    csv.writer(text).writerows(_TEMPLATE.get(language, _TEMPLATE["en"]))
    return text.getvalue().encode("utf-8-sig")


def write_manifest(rows: Sequence[ManifestRow], language: str) -> bytes:
    """Write a manifest in the form of ``manifest_template``, with metadata, ``hidden`` and texts in further languages.

    Args:
        rows: of references.
        language: of the headers, ``en`` or ``zh``.
    """
    text = io.StringIO()
    sheet = csv.writer(text)
    tags = sorted({tag for row in rows for tag in row.texts})
    spoken = sorted({tag for row in rows for tag in row.recordings})
    further = ("元数据", "隐藏") if language == "zh" else ("metadata", "hidden")
    in_languages = text_headers(tags, language), recording_headers(spoken, language)
    sheet.writerow(chain(_TEMPLATE.get(language, _TEMPLATE["en"])[0], further, *in_languages))
    for row in rows:
        facts = json.dumps(row.metadata, ensure_ascii=False) if row.metadata else ""
        texts = map(as_text, (row.file, row.place_id, row.place_name, row.description))
        cells = facts, write_mark(row.is_hidden, language), *map(as_text, text_cells(row.texts, tags, language))
        recordings = (row.recordings.get(tag, "") for tag in spoken)
        sheet.writerow((*texts, row.latitude, row.longitude, *cells, *map(as_text, recordings)))
    return text.getvalue().encode("utf-8-sig")


@dataclass(frozen=True, slots=True)
class _Header:
    cells: tuple[str, ...]
    delimiter: str
    skipped: int  # lines up to and with the header


def _lines(text: str) -> list[str]:
    """Split at line ends of any system, and keep them: a quoted cell may hold some."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff").split("\n")
    return [f"{line}\n" for line in lines[:-1]] + lines[-1:]


def _read_header(lines: Sequence[str]) -> tuple[_Header, dict[str, int]]:
    """Find the header, its delimiter, and which column is where."""
    at = next((number for number, line in enumerate(lines) if line.strip('\n,;\t "')), len(lines))
    said = lines[at].strip().strip('"') if at < len(lines) else ""
    delimiters = _DELIMITERS
    if said.lower().startswith("sep=") and len(said) == 5:
        delimiters, at = said[4], at + 1
    elif said.lower() == "sep=":  # a tab at the end, stripped
        delimiters, at = "\t", at + 1
    found = []
    for delimiter in delimiters:
        # Quoted headers with another delimiter between them cannot be read with this one.
        with suppress(csv.Error):
            reader = csv.reader(lines[at:], delimiter=delimiter, strict=True)
            cells = tuple(next(reader, ()))
            found.append((_Header(cells, delimiter, at + reader.line_num), _columns(cells)))
    if not found:
        raise _unreadable(at + 1)
    header, columns = max(found, key=lambda row: ("file" in row[1], len(row[0].cells)))
    if len(header.cells) > _MAX_COLUMNS:
        raise InvalidRequest(f"{MANIFEST} has {len(header.cells):,} columns; at most {_MAX_COLUMNS} are accepted")
    if "file" not in columns:
        raise InvalidRequest(f"{MANIFEST} has no column 'file' (or 文件); its columns are {list(header.cells)!s:.400}")
    return header, columns


def _columns(headers: Sequence[str]) -> dict[str, int]:
    """Where each known column is; of several with one meaning, the one whose name comes first in the list."""
    plain = [plain_header(name) for name in headers]
    columns = {}
    for column, names in read_words("columns").items():
        at = next((plain.index(name) for name in names if name in plain), None)
        if at is not None:
            columns[column] = at
    return columns


def _cells(lines: Sequence[str], delimiter: str, skipped: int) -> Iterator[tuple[list[str], int]]:
    """All rows behind the header, with the number of their last line."""
    reader = csv.reader(lines[skipped:], delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            yield cells, skipped + reader.line_num
    except csv.Error:
        raise _unreadable(skipped + reader.line_num) from None


def _unreadable(line: int) -> InvalidRequest:
    return InvalidRequest(
        f"{MANIFEST}, line {line}: a cell is longer than {csv.field_size_limit():,} characters, or its quotation marks "
        'do not fit; write a cell that holds some as "a ""quoted"" text"'
    )


def _parse_row(
    row: Mapping[str, str], texts: Mapping[str, TextChange], recordings: Mapping[str, str], line: int
) -> ManifestRow:
    is_query = row.get("role", "").lower() in read_words("roles")["query"]
    role: Role | None = ("query" if is_query else "reference") if row.get("role") else None
    return ManifestRow(
        file=_path(row.get("file", ""), "file", line),
        line=line,
        place_id=row.get("place_id", ""),
        place_name=row.get("place_name", ""),
        description=row.get("description", ""),
        metadata=_metadata(row.get("metadata", ""), line),
        latitude=_degrees(row.get("latitude", ""), "latitude", line),
        longitude=_degrees(row.get("longitude", ""), "longitude", line),
        texts=texts,
        recordings={tag: _path(cell, f"{RECORDING_COLUMN}.{tag}", line) for tag, cell in recordings.items()},
        is_hidden=read_mark(row.get("hidden", ""), f"{MANIFEST}, line {line}: hidden"),
        role=role,
        source=row.get("source_repo", ""),
    )


def _path(cell: str, column: str, line: int) -> str:
    path = PurePosixPath(normal_path(cell))
    if not path.parts or path.is_absolute() or ".." in path.parts or path.parts[0].endswith(":"):
        raise InvalidRequest(
            f"{MANIFEST}, line {line}: {column} {cell!r:.200} is not a path inside the folder; "
            "give one such as hall1/a.jpg"
        )
    return str(path)


def _metadata(text: str, line: int) -> dict[str, Any]:
    if not text:
        return {}
    try:
        parsed = json.loads(text)
    # JSON nested a thousand levels deep exhausts the parser's stack.
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise InvalidRequest(
            f"{MANIFEST}, line {line}: metadata {text!r:.80} is not a JSON object, or is nested too deeply"
        )
    return parsed


def _degrees(text: str, column: str, line: int) -> float | None:
    if not text:
        return None
    try:
        # Where cells are separated by semicolons, numbers have a comma.
        return float(text.replace(",", ".") if text.count(",") == 1 and "." not in text else text)
    except ValueError:
        raise InvalidRequest(f"{MANIFEST}, line {line}: {column} {text!r:.80} is not a number of degrees") from None
