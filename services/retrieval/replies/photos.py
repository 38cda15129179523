"""The gallery's photos as responses. A photo is opened before its response starts; a deletion cannot interrupt it."""

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


def photo_answer(
    request: Request, file: BinaryIO, media_type: str, *, etag: str, filename: str | None = None
) -> Response:
    """Answer with an open photo, or with 304 to a browser that has it. Range requests get the whole photo.

    Args:
        request: may have an If-None-Match header.
        file: the photo; closed when it has been sent.
        media_type: of the photo, found when it was decoded.
        etag: changes with the bytes.
        filename: of the upload.
    """
    headers = {
        "ETag": f'"{etag}"',
        # An image's photo never changes; an hour bounds how long a deleted one is still shown.
        "Cache-Control": "private, max-age=3600",
        # What visitors upload is served as the picture it was decoded as, and as nothing else.
        "X-Content-Type-Options": "nosniff",
    }
    if f'"{etag}"' in request.headers.get("if-none-match", ""):
        file.close()
        return Response(status_code=304, headers=headers)
    headers["Content-Length"] = str(file.seek(0, 2))
    file.seek(0)
    if filename is not None:
        headers["Content-Disposition"] = f"inline; filename*=utf-8''{quote(filename, safe='')}"
    return StreamingResponse(_chunks(file), headers=headers, media_type=media_type)


async def _chunks(file: BinaryIO) -> AsyncIterator[bytes]:
    with file:
        while chunk := await run_in_threadpool(file.read, _CHUNK_BYTES):
            yield chunk


def _open(gallery: Gallery, image_id: str, path_of: Callable[[], Path]) -> tuple[GalleryImage, BinaryIO]:
    image = gallery.get(image_id)
    try:
        return image, path_of().open("rb")
    except (LostPhoto, FileNotFoundError) as exc:
        gallery.get(image_id)  # gone as well, where it was deleted just now
        raise GalleryUnavailable(f"the photo of image {image_id} is missing; restore it from a backup") from exc
