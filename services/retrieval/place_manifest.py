"""``manifest.csv``: one row per photo, saying which place it shows."""

import csv
import json
from dataclasses import dataclass
from io import StringIO
from pathlib import PurePosixPath
from typing import Any

from pydantic import ValidationError

from contracts.images import AddFields
from core.errors import InvalidRequest
from core.results import Place
from services.retrieval.submissions import place_from_fields

MANIFEST_NAME = "manifest.csv"

_FILE_COLUMNS = ("file", "filename", "path", "image")
_PLACE_COLUMNS = ("place_id", "place_name", "description", "metadata", "latitude", "longitude")


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One row.

    Attributes:
        file: relative to the manifest.
        place: what the photo shows, None for a place of its own; or why the row is refused.
    """

    file: str
    place: Place | InvalidRequest | None


def read_manifest(data: bytes, fields: AddFields) -> list[ManifestRow]:
    """Read a manifest.

    Args:
        data: CSV in UTF-8 with a header line: ``file`` and any of ``place_id``, ``place_name``, ``description``,
            ``metadata`` (a JSON object), ``latitude``, ``longitude``; further columns become metadata.
        fields: of the form; they fill what a row leaves empty.

    Raises:
        InvalidRequest: no CSV, or no ``file`` column.
    """
    try:
        # Spreadsheets put a byte order mark in front.
        reader = csv.DictReader(StringIO(data.decode("utf-8-sig"), newline=""))
        columns = [(column or "").strip().lower() for column in reader.fieldnames or ()]
        reader.fieldnames = columns
        rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as exc:
        raise InvalidRequest(f"{MANIFEST_NAME} cannot be read as CSV in UTF-8: {exc}") from exc
    file_column = next((column for column in _FILE_COLUMNS if column in columns), None)
    if file_column is None:
        raise InvalidRequest(f"{MANIFEST_NAME} has no column {_FILE_COLUMNS[0]!r}; its columns: {', '.join(columns)}")
    return [
        ManifestRow(file, _place_of(row, file, file_column, fields))
        for row in rows
        if (file := (row.get(file_column) or "").strip().replace("\\", "/"))
    ]


def _place_of(row: dict[str, Any], file: str, file_column: str, fields: AddFields) -> Place | InvalidRequest | None:
    # DictReader puts cells beyond the header under None, as a list.
    given = {name: value.strip() for name, value in row.items() if name and isinstance(value, str) and value.strip()}
    known = {name: given[name] for name in _PLACE_COLUMNS if name in given}
    further = {name: value for name, value in given.items() if name not in _PLACE_COLUMNS and name != file_column}
    defaults = fields.model_dump(exclude_none=True)
    if fields.metadata is not None:
        defaults["metadata"] = json.dumps(fields.metadata)
    try:
        merged = AddFields.model_validate({**defaults, **known})
    except ValidationError as exc:
        first = exc.errors()[0]
        return InvalidRequest(f"{MANIFEST_NAME}, {file!r}: {first['loc'][0]}: {first['msg']}; got {first['input']!r}")
    if further:
        merged = merged.model_copy(update={"metadata": {**further, **(merged.metadata or {})}})
    return place_from_fields(merged, stem=PurePosixPath(file).stem)
