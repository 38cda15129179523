"""Decodes the texts and file names of a form, in the encodings and notations of different clients.

RFC 7578 requires UTF-8. Clients on Chinese Windows send GB18030 without declaring it, and clients built on mail
libraries write file names in the notation of mail.
"""

import re
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from urllib.parse import unquote_to_bytes

from serving.errors import InvalidUpload

_EXTENDED = re.compile(rb"""(?:^|;)\s*filename\*\s*=\s*"?([\w.:+-]+)'[^']*'([^";]*)""", re.IGNORECASE)
_QUOTED = re.compile(rb'"(?:[^"\\]|\\.)*"')
_MAIL_WORD = re.compile(r"=\?[\w.:+-]+\?[bq]\?[^?]*\?=", re.IGNORECASE)
_PERCENT_CODED = re.compile(r"(?:[^%]|%[0-9a-f]{2})*", re.IGNORECASE)
_CHARSET = re.compile(rb"""charset\s*=\s*"?([\w.:+-]+)""", re.IGNORECASE)

# Rows of GB2312, by the first byte.
_KANA, _FREQUENT, _RARER = 0xA4, 0xB0, 0xD8


def declared_charset(content_type: bytes) -> str | None:
    """Return the charset of a ``Content-Type``; None without one."""
    found = _CHARSET.search(content_type)
    return found[1].decode("ascii", "replace") if found else None


def read_text(data: bytes, charset: str | None, field: str) -> str:
    """Decode a text field: in the declared charset, else in UTF-8, else in GB18030 if the result reads as Chinese.

    Raises:
        InvalidUpload: no encoding fits.
    """
    text = _decode(data, charset)
    if text is None:
        tried = "UTF-8 or GB18030" if charset is None else charset[:40]
        raise InvalidUpload(
            f"the form field {field[:100]} cannot be read as {tried}",
            accepted="text in UTF-8; a file needs a file name",
            field=field[:100],
        )
    return text


def extended_file_name(disposition: bytes) -> str | None:
    """Return the file name in ``filename*`` (RFC 5987); None if there is none that can be decoded."""
    # Must not match inside the quotes of another parameter.
    outside = _EXTENDED.search(_QUOTED.sub(lambda quoted: b'"' + b"_" * (len(quoted[0]) - 2) + b'"', disposition))
    if outside is None:
        # Some clients write it in quotes, against the standard.
        outside = _EXTENDED.search(disposition) if b'filename*="' in disposition else None
    if outside is None:
        return None
    try:
        return unquote_to_bytes(outside[2].strip()).decode(outside[1].decode("ascii"))
    except (ValueError, LookupError):
        return None


def read_file_name(data: bytes, charset: str | None) -> str:
    """Decode a file name, and undo MIME and percent encoding; if no encoding fits, Windows-1252 is assumed."""
    name = _decode(data, charset)
    if name is None:
        name = data.decode("cp1252", "replace")
    if _MAIL_WORD.search(name):
        try:
            name = str(make_header(decode_header(name)))
        except (ValueError, LookupError, HeaderParseError):
            return name
    if "%" in name and _PERCENT_CODED.fullmatch(name):
        decoded = _decode(unquote_to_bytes(name), None)
        name = name if decoded is None else decoded
    return name


def _decode(data: bytes, charset: str | None) -> str | None:
    if charset is not None and charset.lower() not in ("utf-8", "utf8"):
        try:
            return data.decode(charset)
        except LookupError:  # an unknown charset: as if none was declared
            pass
        except ValueError:
            return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        pass
    try:
        text = data.decode("gb18030")
    except UnicodeDecodeError:
        return None
    return text if _reads_as_chinese(text) else None


def _reads_as_chinese(text: str) -> bool:
    """Tell whether at least half of the characters are common; text in another encoding decodes to rare ones.

    A single Chinese character between Latin letters does not count as common, because Western text looks like that.
    """
    padded = f" {text} "
    others = [around for around in zip(padded, text, padded[2:], strict=False) if not around[1].isascii()]
    return 2 * sum(_is_everyday(*around) for around in others) >= len(others)


def _is_everyday(before: str, character: str, after: str) -> bool:
    try:
        row = character.encode("gb2312")[0]
    except UnicodeEncodeError:
        return False
    beside = sum(other.isascii() and other.isalpha() for other in (before, after))
    # Punctuation; not the kana, Greek and Cyrillic letters behind it; frequent characters; rarer ones.
    return row < _KANA or (_FREQUENT <= row < _RARER and beside < 2) or (row >= _RARER and beside == 0)
