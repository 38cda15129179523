"""ZIP archives with names as other programs write them, from the table that every reader is tested on."""

import json
import struct
import zipfile
import zlib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

TABLE: list[dict[str, Any]] = json.loads((Path(__file__).parent / "tables" / "zip_names.json").read_text("utf-8"))
CASES = {case["comment"]: case for case in TABLE}


def decoded(case: dict[str, Any]) -> list[str]:
    """The names as people read them."""
    return case.get("decoded", case["names"])


def pack(entries: Mapping[str, bytes | str]) -> bytes:
    """Make an archive as Python does."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def pack_raw(names: list[bytes], photos: list[bytes], *, flags: int = 0, extras: list[bytes] | None = None) -> bytes:
    """Make an archive whose names are these bytes, with these general purpose flags and extra fields."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, (name, photo) in enumerate(zip(names, photos, strict=True)):
            entry = zipfile.ZipInfo(f"{number:06}".ljust(len(name), "~")[: max(6, len(name))])
            entry.extra = extras[number] if extras else b""
            archive.writestr(entry, photo)
    data = bytearray(buffer.getvalue())
    for number, name in enumerate(names):
        stand_in = f"{number:06}".ljust(len(name), "~").encode()
        data = data.replace(stand_in, name)
    for signature, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        position = data.find(signature)
        while position >= 0:
            struct.pack_into("<H", data, position + at, flags)
            position = data.find(signature, position + 4)
    return bytes(data)


def archive_of(case: dict[str, Any], photos: list[bytes]) -> bytes:
    """The archive of a case."""
    names = [name.encode(case["codec"]) for name in case["names"]]
    extras = None
    if case.get("unicode_path"):
        extras = [
            struct.pack("<HHBL", 0x7075, 5 + len(name.encode()), 1, zlib.crc32(raw)) + name.encode()
            for name, raw in zip(case["names"], names, strict=True)
        ]
    return pack_raw(names, photos[: len(names)], flags=0x800 if case.get("flag") else 0, extras=extras)
