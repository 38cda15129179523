"""Short sound recordings of every accepted kind. Only the WAV can be played; the others are headers alone."""

import io
import math
import struct
import wave

MP3_FRAME = b"\xff\xfb\x90\x64"


def wav(seconds: float = 0.1, pitch: float = 440.0) -> bytes:
    """A tone, 8 kHz, 16 bits; another pitch makes other bytes."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sheet:
        sheet.setnchannels(1)
        sheet.setsampwidth(2)
        sheet.setframerate(8000)
        samples = (round(8000 * math.sin(math.tau * pitch * at / 8000)) for at in range(round(8000 * seconds)))
        sheet.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return file.getvalue()


def mp3(*, tag_bytes: int | None = None, padding: int = 0) -> bytes:
    """A frame's header, behind an ID3v2 tag of so many bytes and zeros if wanted."""
    tag = b""
    if tag_bytes is not None:
        size = bytes(tag_bytes >> shift & 0x7F for shift in (21, 14, 7, 0))
        tag = b"ID3\x04\x00\x00" + size + b"\1" * tag_bytes + bytes(padding)
    return tag + MP3_FRAME + bytes(400)


def ogg(codec: bytes = b"OpusHead") -> bytes:
    """The first page of a stream."""
    return b"OggS\0\2" + bytes(20) + b"\1\x13" + codec + bytes(19 - len(codec))


def m4a(brand: bytes = b"M4A ") -> bytes:
    """The first box of a file."""
    return struct.pack(">I", 24) + b"ftyp" + brand + bytes(4) + b"M4A mp42"
