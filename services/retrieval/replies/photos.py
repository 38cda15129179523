"""Photos and recordings as responses. A file is opened before its response starts; a deletion cannot interrupt it."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from core.errors import GalleryUnavailable
from core.gallery import Gallery
from core.gallery.photos.port import LostPhoto
from core.results import GalleryImage
from serving.ranges import requested_range

_CHUNK_BYTES = 256 * 1024


def open_original(gallery: Gallery, image_id: str) -> tuple[GalleryImage, BinaryIO]:
    """Open an image's original.

    Raises:
        UnknownImage: no image has this id, or it has just been deleted.
        GalleryUnavailable: the file is missing, or the gallery cannot be read.
    """
    return _open(gallery, image_id, lambda: gallery.original_path(image_id))


def open_preview(gallery: Gallery, image_id: str) -> tuple[GalleryImage, BinaryIO]:
    """Open an image's preview; errors as ``open_original``."""
    return _open(gallery, image_id, lambda: gallery.preview_path(image_id))


def media_answer(
    request: Request,
    file: BinaryIO,
    media_type: str,
    *,
    etag: str,
    filename: str | None = None,
    cache: str = "private, max-age=3600",
    in_parts: bool = False,
) -> Response:
    """Answer with an open file or a part of it, or with 304 to a browser that has it.

    Args:
        request: may have the headers If-None-Match, Range and If-Range.
        file: closed when it has been sent.
        media_type: of the bytes, found when they were uploaded.
        etag: changes with the bytes.
        filename: of the upload.
        cache: Cache-Control. An image's photo never changes; an hour bounds how long a deleted one is still shown.
        in_parts: whether the part that Range names is enough, as players need it; else all of it is sent.
    """
    headers = {
        "ETag": f'"{etag}"',
        "Cache-Control": cache,
        "Accept-Ranges": "bytes" if in_parts else "none",
        # What was uploaded is served as what it was found to be, and as nothing else.
        "X-Content-Type-Options": "nosniff",
    }
    if f'"{etag}"' in request.headers.get("if-none-match", ""):
        file.close()
        return Response(status_code=304, headers=headers)
    size = file.seek(0, 2)
    part = requested_range(request.headers, headers["ETag"], size) if in_parts else None
    sent = range(size) if part is None else part
    headers["Content-Length"] = str(len(sent))
    if part is not None:
        headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
    file.seek(sent.start)
    if filename is not None:
        headers["Content-Disposition"] = f"inline; filename*=utf-8''{quote(filename, safe='')}"
    status = 200 if part is None else 206
    return StreamingResponse(_chunks(file, len(sent)), status, headers=headers, media_type=media_type)


async def _chunks(file: BinaryIO, left: int) -> AsyncIterator[bytes]:
    with file:
        while left and (chunk := await run_in_threadpool(file.read, min(left, _CHUNK_BYTES))):
            left -= len(chunk)
            yield chunk


def _open(gallery: Gallery, image_id: str, path_of: Callable[[], Path]) -> tuple[GalleryImage, BinaryIO]:
    image = gallery.get(image_id)
    try:
        return image, path_of().open("rb")
    except (LostPhoto, FileNotFoundError) as exc:
        gallery.get(image_id)  # gone as well, where it was deleted just now
        raise GalleryUnavailable(f"the photo of image {image_id} is missing; restore it from a backup") from exc
