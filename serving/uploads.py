"""Reads bodies and forms under limits while they stream; a too large body is refused before all of it has arrived."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from serving.body_slots import IncomingBody
from serving.errors import InvalidUpload, NoRoomForUploads, Overloaded, UploadTooLarge
from serving.form_text import declared_charset, extended_file_name, read_file_name, read_text

Fields = TypeVar("Fields", bound=BaseModel)

MAX_FIELD_BYTES = 256 * 1024
"""Largest text field of a form, bytes."""

# Bytes of every uploaded file that stay in memory; there may be a thousand files.
_SPOOLED_BYTES = 64 * 1024

_HINTS = {
    "Missing boundary": " Let the client set Content-Type itself.",
    "Invalid multipart data": " A form begins with the boundary that Content-Type names, and its lines end in CR LF.",
}


async def read_body(request: Request, incoming: IncomingBody, max_bytes: int) -> bytes:
    """Read a raw body.

    Raises:
        UploadTooLarge: its declared or real size is above ``max_bytes``.
        UploadTooSlow: it stalls.
        Overloaded: too many bytes are being received.
    """
    body = bytearray()
    async with incoming.arriving():
        async for chunk in _limited_stream(request, incoming, max_bytes):
            body += chunk
    return bytes(body)


@asynccontextmanager
async def open_form(
    request: Request, incoming: IncomingBody, *, max_bytes: int, max_files: int = 1, in_memory: bool = False
) -> AsyncIterator[FormData]:
    """Read a multipart form; its files exist until the block ends.

    Args:
        request: its body must not have been read.
        incoming: its body slot.
        max_bytes: of the whole body.
        max_files: parts with a file name.
        in_memory: keep files of any size in memory; else those above 64 kB go to temporary files.

    Raises:
        UploadTooLarge: the body's declared or real size is above ``max_bytes``.
        InvalidUpload: the body is not a multipart form, is damaged, or has too many parts.
        UploadTooSlow: it stalls.
        Overloaded: too many bytes are being received, or the disk for temporary files is full.
        NoRoomForUploads: there is no folder for temporary files.
    """
    content_type = request.headers.get("content-type", "")
    if not content_type.lower().startswith("multipart/form-data"):
        raise InvalidUpload(
            f"the body is {content_type or 'of no declared type'}, not a form", accepted="multipart/form-data"
        )
    compression = request.headers.get("content-encoding", "identity")
    if compression.lower() != "identity":
        raise InvalidUpload(
            f"the form is compressed ({compression[:40]}), and photos are already", accepted="no Content-Encoding"
        )
    parser = _StrictParser(
        request.headers,
        _limited_stream(request, incoming, max_bytes),
        max_files=max_files,
        max_part_size=MAX_FIELD_BYTES,
    )
    parser.spool_max_size = max_bytes if in_memory else _SPOOLED_BYTES
    try:
        async with incoming.arriving():
            form = await parser.parse_whole()
    except MultiPartException as exc:
        hint = next((hint for start, hint in _HINTS.items() if exc.message.startswith(start)), "")
        raise InvalidUpload(f"the form cannot be read: {exc.message}{hint}", accepted="multipart/form-data") from exc
    # The charset may name any of Python's codecs, some of which raise their own exceptions.
    except (ValueError, LookupError) as exc:
        raise InvalidUpload("the form's encoding cannot be read", accepted="multipart/form-data in UTF-8") from exc
    except ClientDisconnect:
        raise
    except FileNotFoundError as exc:  # from tempfile, if no folder is writable; this is permanent
        raise NoRoomForUploads(
            "the upload cannot be received: this server has no writable folder for temporary files; "
            "whoever runs it must make /tmp writable, or name one that is by TMPDIR"
        ) from exc
    except OSError as exc:
        raise Overloaded(f"the upload cannot be kept: {exc.strerror or type(exc).__name__}; try again later") from exc
    try:
        yield form
    finally:
        await form.close()


def uploaded_files(form: FormData, name: str, *synonyms: str) -> list[UploadFile]:
    """Return the files of a form under ``name`` or a synonym, in the order sent.

    Raises:
        InvalidUpload: there is none, or a text was sent under that name.
    """
    parts = [part for field, part in form.multi_items() if field in {name, *synonyms}]
    files = [part for part in parts if isinstance(part, UploadFile)]
    if len(files) < len(parts):
        raise InvalidUpload(f"the form field {name} holds text", accepted="a file part, with a file name", field=name)
    if not files:
        raise InvalidUpload("the form has no file", accepted=f"a file part named {name}", field=name)
    return files


def parse_fields(model: type[Fields], form: FormData, *, files: frozenset[str] = frozenset({"file"})) -> Fields:
    """Read the text fields of a form. Empty fields count as absent, because browsers send them.

    Args:
        model: the fields and their rules.
        form: as read.
        files: names of the parts that are files.

    Raises:
        InvalidUpload: a field does not exist; it is refused because it may be a misspelt option.
        RequestValidationError: a value is invalid.
    """
    values = {name: value for name, value in form.multi_items() if isinstance(value, str) and name not in files}
    for name in values:
        if name not in model.model_fields:
            accepted = ", ".join([*sorted(files), *model.model_fields])
            raise InvalidUpload(f"unknown form field: {name}", accepted=accepted, field=name)
    try:
        return model.model_validate({name: value for name, value in values.items() if value != ""})
    except ValidationError as exc:
        errors = [{**error, "loc": ("body", *error["loc"])} for error in exc.errors(include_url=False)]
        raise RequestValidationError(errors) from exc


class _StrictParser(MultiPartParser):
    """Refuses a form that ends before its last boundary; otherwise its last file would be lost silently.

    ``serving.form_text`` decodes texts and file names, because the parser itself decodes as Latin-1 if UTF-8 fails.
    """

    _ended = False

    @property
    def _declared(self) -> str | None:
        """The declared charset of the part, else of the form."""
        of_part = dict(self._current_part.item_headers).get(b"content-type", b"")
        return declared_charset(of_part) or declared_charset(self.headers["content-type"].encode("latin-1"))

    @property
    def _is_binary(self) -> bool:
        """Whether the part is declared as something other than text, as a blob without a file name is."""
        media_type = dict(self._current_part.item_headers).get(b"content-type", b"").lower()
        return media_type.startswith((b"image/", b"application/octet-stream", b"application/zip"))

    def on_headers_finished(self) -> None:
        """Treat a part with a file name in any notation as a file."""
        part = self._current_part
        disposition = part.content_disposition or b""
        extended = extended_file_name(disposition)
        plain = parse_options_header(disposition)[1].get(b"filename")
        if plain is None and (extended is not None or self._is_binary):
            part.content_disposition = disposition + b'; filename="file"'
        super().on_headers_finished()
        if part.file is not None:
            part.file.filename = extended if extended is not None else read_file_name(plain or b"", self._declared)

    def on_part_end(self) -> None:
        """Decode the text of a part."""
        part = self._current_part
        if part.file is not None:
            super().on_part_end()
        else:
            self.items.append((part.field_name, read_text(bytes(part.data), self._declared, part.field_name)))

    def on_end(self) -> None:
        """Record that the last boundary has arrived."""
        self._ended = True

    async def parse_whole(self) -> FormData:
        form = await self.parse()
        if not self._ended:
            for file in self._files_to_close_on_error:
                file.close()
            raise MultiPartException("it ends before its last boundary")
        return form


async def _limited_stream(request: Request, incoming: IncomingBody, max_bytes: int) -> AsyncGenerator[bytes, None]:
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > max_bytes:
        raise _too_large(f"{int(announced):,} bytes", max_bytes)
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > max_bytes:
            raise _too_large(f"more than {max_bytes:,} bytes", max_bytes)
        incoming.receive(len(chunk))
        yield chunk


def _too_large(what: str, max_bytes: int) -> UploadTooLarge:
    return UploadTooLarge(f"the upload is too large: {what}", accepted=f"at most {max_bytes:,} bytes")
