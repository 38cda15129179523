"""Which bytes are a sound recording."""

import hashlib

import pytest
from fakes.images import draw_place, encode
from fakes.sounds import MP3_FRAME, m4a, mp3, ogg, wav

from core.errors import UnsupportedAudio
from core.gallery.audio import read_recording
from core.results import Recording


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (wav(), "audio/wav"),
        (mp3(), "audio/mpeg"),
        (mp3(tag_bytes=300), "audio/mpeg"),
        (mp3(tag_bytes=0, padding=2000), "audio/mpeg"),
        (ogg(), "audio/ogg"),
        (ogg(b"\x01vorbis"), "audio/ogg"),
        (m4a(), "audio/mp4"),
        (m4a(b"isom"), "audio/mp4"),
    ],
)
def test_a_recording_is_known_by_its_bytes(data: bytes, media_type: str):
    """Its kind, its hash and its size; a tag before the sound does not matter, whatever its length."""
    assert read_recording(data) == Recording(hashlib.sha256(data).hexdigest(), media_type, len(data))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"ID3",
        b"ID3\x04\0\0",
        b"OggS",
        b"<!doctype html><script>alert(1)</script>",
        mp3(tag_bytes=300).replace(MP3_FRAME, b"<htm"),
        MP3_FRAME[:3],
        b"\xff\xf1\x50\x80" + bytes(400),  # AAC without a container
        b"\xff\xfb\xf0\x64" + bytes(400),  # no such bit rate
        ogg(b"\x80theora"),
        m4a(b"heic"),
        b"RIFF\x24\0\0\0WEBPVP8 " + bytes(20),
        encode(draw_place(1, (160, 120))),
    ],
)
def test_nothing_else_is_one(data: bytes):
    """Pictures, pages, films in Ogg and torn files are refused, and the message says how they begin."""
    with pytest.raises(UnsupportedAudio, match="begins with b"):
        read_recording(data)
