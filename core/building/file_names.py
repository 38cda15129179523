"""File names of different systems: their text, which are photos, and which are clutter of the system.

The names of a folder or an archive are read together, for one encoding holds for all of them.
"""

import re
import struct
import unicodedata
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from core.building.text_encodings import ZIP_ENCODINGS, guess_encoding, is_utf8
from core.imaging.decoding import EXTENSIONS

# Names under which folders hold photos. Those of unaccepted kinds are listed too, so that they are reported.
_UNACCEPTED = "gif bmp tif tiff jp2 jxl psd dng cr2 cr3 crw nef nrw arw rw2 raf orf pef srw raw"
_OTHER_NAMES = "jpeg jpe jfif heif hif"
PHOTO_SUFFIXES = frozenset({*EXTENSIONS.values(), *(f".{name}" for name in f"{_OTHER_NAMES} {_UNACCEPTED}".split())})

# What operating systems, network storage and photo programs write beside people's files.
_CLUTTER = re.compile(
    r"(?:^|/)(?:\.(?!\.?(?:/|$))[^/]*|__macosx|@eadir|#recycle|#snapshot|@recycle|@recently-snapshot|@tmp|\$recycle\.bin|recycler"
    r"|system volume information|lost\+found|network trash folder|temporary items|thumbs\.db|ehthumbs\.db"
    r"|desktop\.ini|icon\r)(?:/|$)|(?:^|/)(?:synophoto_|synoindex_)[^/]*$",
    re.IGNORECASE,
)
_MANIFEST = re.compile(r"manifest\.(?:csv|tsv|csv\.txt)", re.IGNORECASE)

_UTF8_FLAG = 0x800
_UNICODE_PATH = 0x7075


@dataclass(frozen=True, slots=True)
class RawName:
    """A name as an archive's directory holds it.

    Attributes:
        data: its bytes.
        flags: general purpose bits of its entry.
        extra: the entry's extra fields.
    """

    data: bytes
    flags: int = 0
    extra: bytes = b""


@dataclass(frozen=True, slots=True)
class DecodedNames:
    """Names as text.

    Attributes:
        names: NFC, with forward slashes, in the order given.
        guessed: the encoding that was guessed; None where nothing had to be.
    """

    names: tuple[str, ...]
    guessed: str | None


def decode_names(raw: Sequence[RawName]) -> DecodedNames:
    """Read the names of one archive: APPNOTE.TXT 6.3.10, section 4.6.9 and appendix D.

    The Unicode Path field of a name goes first, then the UTF-8 flag. The other names are UTF-8 if all are, else in
    the one encoding in which all read best as text.
    """
    declared = [_declared_name(raw_name) for raw_name in raw]
    silent = [
        raw_name.data
        for raw_name, name in zip(raw, declared, strict=True)
        if name is None and not raw_name.data.isascii()
    ]
    guessed = guess_encoding(silent, ZIP_ENCODINGS) if silent and not is_utf8(silent) else None
    codec = guessed or ("utf-8" if silent and is_utf8(silent) else "cp437")
    names = [
        raw_name.data.decode(codec, "replace") if name is None else name
        for raw_name, name in zip(raw, declared, strict=True)
    ]
    return DecodedNames(tuple(map(normal_path, names)), guessed)


def _declared_name(raw: RawName) -> str | None:
    """The name where its entry says in which encoding it is, or there is only one reading."""
    position = 0
    while position + 4 <= len(raw.extra):
        kind, size = struct.unpack_from("<HH", raw.extra, position)
        content = raw.extra[position + 4 : position + 4 + size]
        # A program that knows nothing of the field renames the entry and leaves the field: the checksum tells.
        if kind == _UNICODE_PATH and content[:5] == b"\1" + zlib.crc32(raw.data).to_bytes(4, "little"):
            return content[5:].decode("utf-8", "replace")
        position += 4 + size
    if raw.flags & _UTF8_FLAG:
        return raw.data.decode("utf-8", "replace")
    return raw.data.decode("ascii") if raw.data.isascii() else None


def normal_path(name: str) -> str:
    """Write a path with forward slashes, in Unicode's composed form (macOS writes the other), without ``./``."""
    path = unicodedata.normalize("NFC", name.replace("\\", "/"))
    while path.startswith("./"):
        path = path[2:]
    return path


def match_key(name: str) -> str:
    """What all spellings of a file's path have in common: either slash, any case, composed or not."""
    return unicodedata.normalize("NFC", normal_path(name).casefold())


def is_clutter(path: str) -> bool:
    """Say whether a file was written by a system beside people's files: hidden, a thumbnail, a recycle bin."""
    return _CLUTTER.search(path) is not None


def is_manifest(path: str) -> bool:
    """Say whether a file says what the photos beside it show, by its name."""
    return _MANIFEST.fullmatch(path.rpartition("/")[2]) is not None


def is_photo_name(path: str) -> bool:
    """Say whether a file is meant as a photo, by its name; whether it is one is said by its bytes."""
    return ("." + path.rpartition(".")[2].lower()) in PHOTO_SUFFIXES
