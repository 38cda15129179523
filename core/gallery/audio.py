"""Kinds of sound recordings that browsers play, found by their bytes and never by a name or a declared type."""

import hashlib

from core.errors import UnsupportedAudio
from core.results import Recording

AUDIO_EXTENSIONS = {"audio/mpeg": ".mp3", "audio/mp4": ".m4a", "audio/ogg": ".ogg", "audio/wav": ".wav"}
"""File name extensions by media type."""

ACCEPTED_AUDIO = "MP3, M4A (AAC), Ogg (Opus or Vorbis), WAV"

MAX_AUDIO_BYTES = 20 * 1024 * 1024
"""Largest recording, unless a setting says otherwise."""

_ID3_BYTES = 10
_PADDING_BYTES = 64 * 1024  # after a tag, more than any program leaves
_MP4_BRANDS = frozenset({b"M4A ", b"M4B ", b"mp41", b"mp42", b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"dash"})
_OGG_CODECS = (b"OpusHead", b"\x01vorbis")


def read_recording(data: bytes) -> Recording:
    """Describe a recording.

    Args:
        data: the whole file.

    Raises:
        UnsupportedAudio: it is not of an accepted kind.
    """
    media_type = _media_type(data)
    if media_type is None:
        raise UnsupportedAudio(f"this is no recording of an accepted kind: it begins with {data[:12]!r}")
    return Recording(hashlib.sha256(data).hexdigest(), media_type, len(data))


def _media_type(data: bytes) -> str | None:
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return "audio/wav"
    if data[4:8] == b"ftyp" and data[8:12] in _MP4_BRANDS:
        return "audio/mp4"
    # RFC 3533, section 6: the first page's header ends with a table whose length is its 27th byte.
    if data[:4] == b"OggS" and len(data) > 27 and data[27 + data[26] :].startswith(_OGG_CODECS):
        return "audio/ogg"
    return "audio/mpeg" if _is_mp3_frame(_without_id3(data)) else None


def _without_id3(data: bytes) -> bytes:
    """Return the bytes behind an ID3v2 tag (id3.org, ID3v2.4.0, section 3.1), where there is one."""
    if data[:3] != b"ID3":
        return data[:4]
    size = 0
    for byte in data[6:_ID3_BYTES]:
        size = size << 7 | byte & 0x7F
    has_footer = bool(data[5] & 0x10) if len(data) > 5 else False
    start = _ID3_BYTES + size + _ID3_BYTES * has_footer
    return data[start : start + _PADDING_BYTES].lstrip(b"\0")


def _is_mp3_frame(data: bytes) -> bool:
    """Whether the bytes begin with a frame header of MPEG audio, layer III (ISO/IEC 11172-3, section 2.4.1.3)."""
    if len(data) < 4 or data[0] != 0xFF or data[1] & 0xE0 != 0xE0:
        return False
    version, layer = data[1] >> 3 & 3, data[1] >> 1 & 3
    bitrate, sample_rate = data[2] >> 4, data[2] >> 2 & 3
    return version != 1 and layer == 1 and bitrate != 15 and sample_rate != 3
