"""The metadata of HEIC and AVIF files, blanked in place: ISO/IEC 14496-12 (boxes) and 23008-12 (items).

Items refer to bytes by their position in the file, so nothing is moved: all bytes that belong to no picture become
zeros, and boxes that are not needed for pictures become free space.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from core.errors import InvalidImage

_KEPT_BOXES = frozenset({b"ftyp", b"meta", b"mdat", b"free", b"skip"})
_KEPT_OF_META = frozenset({b"hdlr", b"pitm", b"iinf", b"iloc", b"iref", b"iprp", b"idat", b"dinf", b"grpl"})
_KEPT_PROPERTIES = frozenset(
    b"ispe pixi colr hvcC av1C avcC irot imir clap pasp auxC clli mdcv cclv a1op a1lx lsel rloc free".split()
)
_PICTURES = frozenset({b"hvc1", b"hev1", b"av01", b"avc1", b"jpeg", b"grid", b"iovl", b"iden", b"tmap"})
# Position of the TIFF header, then a TIFF of one empty directory: readers stumble over an Exif item of zeros.
_EMPTY_EXIF = struct.pack(">I2sHIHI", 0, b"MM", 42, 8, 0, 0)


@dataclass(frozen=True, slots=True)
class _Box:
    kind: bytes
    start: int
    body: int
    end: int


@dataclass(frozen=True, slots=True)
class _Extent:
    """Bytes of an item: in the file, or in the box ``idat``."""

    item: int
    in_idat: bool
    offset: int
    length: int


def strip_isobmff(data: bytes) -> bytes:
    """Copy a HEIC or AVIF file with its metadata blanked; see ``core.imaging.metadata.strip_metadata``.

    Raises:
        InvalidImage: a sequence of pictures, or a file that is not built as the standard says.
    """
    try:
        return _strip(data)
    except (IndexError, struct.error, ValueError, StopIteration) as exc:
        raise InvalidImage(
            f"the metadata of this HEIC or AVIF file cannot be separated from its picture ({exc or 'damaged boxes'}), "
            "and photos are kept without metadata here; send a JPEG"
        ) from exc


def _strip(data: bytes) -> bytes:
    boxes = list(_boxes(data, 0, len(data)))
    metas = [box for box in boxes if box.kind == b"meta"]
    if len(metas) != 1 or any(box.kind in (b"moov", b"moof") for box in boxes):
        raise ValueError("it is no single picture")
    inner = {box.kind: box for box in _boxes(data, metas[0].body + 4, metas[0].end)}
    kinds = dict(_items(data, inner[b"iinf"])) if b"iinf" in inner else {}
    extents = list(_extents(data, inner[b"iloc"])) if b"iloc" in inner else []
    idat = inner.get(b"idat", _Box(b"idat", 0, 0, 0))

    kept = bytearray(data)
    for box in boxes:
        if box.kind not in _KEPT_BOXES:
            _free(kept, box)
        elif box.kind not in (b"ftyp", b"meta"):
            kept[box.body : box.end] = bytes(box.end - box.body)
    for box in inner.values():
        if box.kind not in _KEPT_OF_META:
            _free(kept, box)
    kept[idat.body : idat.end] = bytes(idat.end - idat.body)
    for properties in (box for box in _inside(data, inner, b"iprp") if box.kind == b"ipco"):
        for box in _boxes(data, properties.body, properties.end):
            if box.kind not in _KEPT_PROPERTIES:
                _free(kept, box)
    for extent in extents:
        start = extent.offset + (idat.body if extent.in_idat else 0)
        end = start + extent.length
        if end > (idat.end if extent.in_idat else len(data)) or extent.length == 0:
            raise ValueError("an item lies outside of it")
        kind = kinds.get(extent.item, b"")
        if kind in _PICTURES:
            kept[start:end] = data[start:end]
        elif kind == b"Exif" and extent.length >= len(_EMPTY_EXIF):
            kept[start : start + len(_EMPTY_EXIF)] = _EMPTY_EXIF
    return bytes(kept)


def _boxes(data: bytes, start: int, end: int) -> Iterator[_Box]:
    while start < end:
        size, kind = struct.unpack_from(">I4s", data, start)
        body = start + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, body)
            body += 8
        elif size == 0:
            size = end - start
        if size < body - start or start + size > end:
            raise ValueError("a box is longer than what it lies in")
        yield _Box(kind, start, body, start + size)
        start += size


def _inside(data: bytes, boxes: dict[bytes, _Box], kind: bytes) -> Iterator[_Box]:
    if kind in boxes:
        yield from _boxes(data, boxes[kind].body, boxes[kind].end)


def _free(kept: bytearray, box: _Box) -> None:
    kept[box.start + 4 : box.start + 8] = b"free"
    kept[box.body : box.end] = bytes(box.end - box.body)


def _items(data: bytes, iinf: _Box) -> Iterator[tuple[int, bytes]]:
    """The id and the kind of each item."""
    count_size = 2 if data[iinf.body] == 0 else 4
    for box in _boxes(data, iinf.body + 4 + count_size, iinf.end):
        version = data[box.body]
        if box.kind != b"infe" or version not in (2, 3):
            raise ValueError("an item has no kind")
        form = ">HH4s" if version == 2 else ">IH4s"
        item, _, kind = struct.unpack_from(form, data, box.body + 4)
        yield item, kind


def _extents(data: bytes, iloc: _Box) -> Iterator[_Extent]:
    version = data[iloc.body]
    sizes = data[iloc.body + 4], data[iloc.body + 5]
    offset_size, length_size, base_size, index_size = sizes[0] >> 4, sizes[0] & 15, sizes[1] >> 4, sizes[1] & 15
    position = iloc.body + 6

    def read(size: int) -> int:
        nonlocal position
        position += size
        if position > iloc.end:
            raise ValueError("the list of places of its items is cut off")
        return int.from_bytes(data[position - size : position], "big")

    for _ in range(read(2 if version < 2 else 4)):
        item = read(2 if version < 2 else 4)
        method = read(2) & 15 if version else 0
        if method > 1 or read(2):
            raise ValueError("an item lies in another item or file")
        base = read(base_size)
        for _ in range(read(2)):
            read(index_size if version else 0)
            offset, length = read(offset_size), read(length_size)
            yield _Extent(item, method == 1, base + offset, length)
