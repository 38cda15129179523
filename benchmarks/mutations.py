"""Makes uploads of every accepted kind and damages them; seeded, so that a run can be repeated."""

import io
import random
import struct
import zipfile
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pillow_heif
from PIL import Image, ImageFilter

BOUNDARY = "fuzz"
# Replacements of sizes and counts: limits of their types, and small values.
_EXTREMES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)

Mutation = Callable[[random.Random, bytes, Sequence[bytes]], bytes]


def sound_uploads(seed: int) -> dict[str, bytes]:
    """Draw one small valid file of every kind: name -> bytes."""
    rng = np.random.default_rng(seed)
    clouds = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
    photo = clouds.resize((160, 120), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(0.5))
    frames = [photo.rotate(90 * turn) for turn in range(1, 4)]
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    photos = {
        "jpeg": _write(photo, "JPEG", exif=exif, icc_profile=bytes(200), comment=b"a comment"),
        "jpeg progressive": _write(photo, "JPEG", progressive=True),
        "jpeg cmyk": _write(photo.convert("CMYK"), "JPEG"),
        "png": _write(photo.convert("RGBA"), "PNG", exif=exif),
        "png palette": _write(photo.convert("P"), "PNG", transparency=3),
        "png 16 bit": _write(Image.fromarray(rng.integers(0, 65536, (60, 80), dtype=np.uint16)), "PNG"),
        "apng": _write(photo, "PNG", save_all=True, append_images=frames, duration=50),
        "webp": _write(photo, "WEBP", exif=exif),
        "webp lossless": _write(photo.convert("RGBA"), "WEBP", lossless=True),
        "webp animated": _write(photo, "WEBP", save_all=True, append_images=frames),
        "avif": _write(photo, "AVIF", exif=exif, speed=9),
        "avif animated": _write(photo, "AVIF", save_all=True, append_images=frames, speed=9),
        "heic": _heic(photo, exif),
    }
    small = photo.resize((48, 36))
    a, b = _write(small, "JPEG"), _write(small.rotate(180), "PNG")
    two = {"file": ("a.jpg", a), "files": ("b", b)}
    manifest = b'file,place_id,latitude,longitude,metadata\nhall/a.jpg,p1,30.5,120.1,"{""k"": 1}"\nhall/b.png,p2,,,\n'
    return photos | {
        "zip": _zip({"Hall 1/a.jpg": a, "Hall 1/b.png": b, "Hall 2/a.jpg": a}, zipfile.ZIP_STORED),
        "zip manifest": _zip({"manifest.csv": manifest, "hall/a.jpg": a, "hall/b.png": b}, zipfile.ZIP_DEFLATED),
        "form": form({"top_k": "3", "collection": "default"}, {"file": ("photo.jpg", a)}),
        "form upload": form({"place_name": "桥", "metadata": "{}", "latitude": "1", "longitude": "2"}, two),
    }


def form(fields: Mapping[str, str], files: Mapping[str, tuple[str, bytes]]) -> bytes:
    """Write a multipart form with the boundary ``BOUNDARY``."""
    parts = [f'name="{name}"\r\n\r\n{value}'.encode() for name, value in fields.items()]
    parts += [f'name="{name}"; filename="{shown}"\r\n\r\n'.encode() + data for name, (shown, data) in files.items()]
    mark = f"--{BOUNDARY}".encode()
    return (
        b"".join(mark + b"\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts) + mark + b"--\r\n"
    )


def mutate(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Damage a file in one to four ways.

    Args:
        rng: source of randomness.
        data: the file.
        others: files from which pieces are inserted.
    """
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
        data = rng.choice(_MUTATIONS)(rng, data, others)
    return data


def _flip_bits(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    damaged = bytearray(data)
    for _ in range(rng.choice((1, 2, 8, 64))):
        if damaged:
            damaged[_place(rng, len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def _truncate(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    return data[: _place(rng, len(data) + 1)]


def _splice(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    other = rng.choice(others)
    return data[: _place(rng, len(data) + 1)] + other[_place(rng, len(other) + 1) :]


def _insert_piece(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    other, at = rng.choice(others), _place(rng, len(data) + 1)
    start = rng.randrange(len(other))
    return data[:at] + other[start : start + rng.choice((1, 4, 16, 256))] + data[at:]


def _set_size(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    width, order = rng.choice(("B", "H", "I")), rng.choice("<>")
    value = rng.choice(_EXTREMES) & (1 << 8 * struct.calcsize(width)) - 1
    field, at = struct.pack(order + width, value), _place(rng, len(data) + 1)
    return data[:at] + field + data[at + len(field) :]


def _nudge_size(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    damaged = bytearray(data)
    if damaged:
        at = _place(rng, len(damaged))
        damaged[at] = (damaged[at] + rng.choice((-16, -2, -1, 1, 2, 16))) % 256
    return bytes(damaged)


def _repeat_chunk(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    start = _place(rng, len(data) + 1)
    end = min(len(data), start + rng.choice((4, 12, 64, 512, 4096)))
    return data[:end] + data[start:end] * rng.choice((1, 1, 3, 50)) + data[end:]


def _remove_chunk(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    start = _place(rng, len(data) + 1)
    return data[:start] + data[start + rng.choice((1, 2, 4, 12, 64, 512)) :]


def _blank(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    start, length = _place(rng, len(data) + 1), rng.choice((2, 8, 64, 512))
    return data[:start] + rng.choice((b"\0", b"\xff")) * len(data[start : start + length]) + data[start + length :]


_MUTATIONS: tuple[Mutation, ...] = (
    _flip_bits, _truncate, _splice, _insert_piece, _set_size, _nudge_size, _repeat_chunk, _remove_chunk, _blank,
)  # fmt: skip


def _place(rng: random.Random, length: int) -> int:
    """Draw a position; half of the time near the beginning or the end, where formats have their structure."""
    if length < 2:
        return 0
    near = min(length, 200)
    return rng.choice(
        (rng.randrange(length), rng.randrange(length), rng.randrange(near), length - 1 - rng.randrange(near))
    )


def _write(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _heic(image: Image.Image, exif: Image.Exif) -> bytes:
    buffer = io.BytesIO()
    pillow_heif.from_pillow(image).save(buffer, quality=60, exif=exif.tobytes())
    return buffer.getvalue()


def _zip(entries: Mapping[str, bytes], compression: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return buffer.getvalue()
