"""uvicorn's HTTP protocol with timeouts for slow request heads and unread answers.

uvicorn itself waits forever for the head of a request and for a client to read its answer, accepts a head of any size,
and answers a broken one in plain text.
"""

import asyncio
import fcntl
import socket
import struct
import sys
import termios
from asyncio import TimerHandle
from contextlib import suppress
from enum import Enum
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from contracts.errors import ErrorBody, ErrorCode, ErrorDetail

_MAX_HEAD_BYTES = 64 * 1024

_MIN_READ_RATE = 1024
"""A client that takes less of its answer, bytes per second, counts as one that does not read. For comparison: Kestrel
demands 240 of readers by default, and Apache 500 of senders."""


class _Arriving(Enum):
    """The part of a request that is arriving."""

    NOTHING = "nothing"
    HEAD = "head"
    BODY = "body"


class TimeoutProtocol(HttpToolsProtocol):
    """One client's connection."""

    def __init__(self, *args: Any, stall_s: float, unread_s: float, **kwargs: Any) -> None:
        """Take uvicorn's arguments and the timeouts.

        Args:
            args: uvicorn's.
            stall_s: how long a request's head may take to arrive.
            unread_s: how long the client may read next to nothing of an answer.
            kwargs: uvicorn's.
        """
        super().__init__(*args, **kwargs)
        self._stall_s = stall_s
        self._unread_s = unread_s
        self._head_timer: TimerHandle | None = None
        self._write_timer: TimerHandle | None = None
        self._arriving = _Arriving.NOTHING
        self._head_bytes = 0

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timeout for the first head."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timeouts."""
        super().connection_lost(exc)
        self._stop_head_timer()
        self._stop_write_timer()

    def data_received(self, data: bytes) -> None:
        """Process received bytes; refuse a head that is too large."""
        # If one piece ends a request and begins the next, the first bytes of the next are not counted.
        self._head_bytes += len(data) if self._arriving is not _Arriving.BODY else 0
        super().data_received(data)
        if self.transport.is_closing():
            return
        is_too_large = self._head_bytes > _MAX_HEAD_BYTES
        if self._is_answering:
            if is_too_large:
                self._close()  # during an answer, no error can be sent for the next request
        elif is_too_large:
            self._refuse(
                431, f"the request's head is larger than {_MAX_HEAD_BYTES:,} bytes", accepted="shorter headers"
            )
        elif self._arriving is not _Arriving.NOTHING or self._head_bytes:
            # Part of a head, or the rest of a body whose request has been answered: both have a timeout.
            self._await_head()
        else:
            # The rest has arrived. uvicorn stopped its timer, and restarts it only with an answer.
            self._stop_head_timer()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def on_message_begin(self) -> None:
        """Note that a head has begun."""
        self._arriving = _Arriving.HEAD
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Start the request."""
        self._stop_head_timer()
        self._arriving = _Arriving.BODY
        self._head_bytes = 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that the request is complete."""
        self._arriving = _Arriving.NOTHING
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Continue with the next request; if it has begun to arrive, the timeout of a head applies."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._await_last_bytes()
        elif self._arriving is not _Arriving.NOTHING and not self._is_answering:
            self._await_head()

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection as soon as the client has read its answer."""
        super().timeout_keep_alive_handler()
        self._await_last_bytes()

    def pause_writing(self) -> None:
        """Start the timeout for the client to read."""
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        """Continue writing."""
        if not self.transport.is_closing():
            self._stop_write_timer()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn says it
        """Answer invalid HTTP with the common error body."""
        self._refuse(400, "this is not a valid HTTP request", accepted="HTTP/1.1")

    def _await_head(self) -> None:
        self._head_timer = self._head_timer or self.loop.call_later(self._stall_s, self._give_up)

    def _give_up(self) -> None:
        self._head_timer = None
        if self._arriving is _Arriving.HEAD:
            self._refuse(408, f"the request did not arrive within {self._stall_s:g} s", accepted="a faster request")
        else:
            self._close()

    def _close(self) -> None:
        self.transport.close()
        self._await_last_bytes()

    def _await_last_bytes(self) -> None:
        # A closing connection stays open until they are written, and has no other timeout.
        if self.transport.get_write_buffer_size():
            self._await_reader()

    def _await_reader(self) -> None:
        self._stop_write_timer()
        self._write_timer = self.loop.call_later(self._unread_s, self._judge_reader, self._count_unread())

    def _judge_reader(self, unread_before: int) -> None:
        # resume_writing tells nothing about a slow reader: it comes when a third of the kernel's buffer, which may be
        # megabytes, is free.
        if unread_before - self._count_unread() < _MIN_READ_RATE * self._unread_s:
            self._reset()
        else:
            self._await_reader()

    def _count_unread(self) -> int:
        """Count the bytes that the client's kernel has not acknowledged; without those in our kernel on macOS."""
        unread = self.transport.get_write_buffer_size()
        with suppress(OSError):  # only Linux says it
            fileno = self.transport.get_extra_info("socket").fileno()
            unread += int.from_bytes(fcntl.ioctl(fileno, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
        return unread

    def _reset(self) -> None:
        # Without the limit, the kernel would hold unread bytes as long as the connection lives.
        at_once = struct.pack("ii", 1, 0)
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        self.transport.abort()

    def _refuse(self, status: int, message: str, *, accepted: str) -> None:
        if self.transport.is_closing():
            return
        code = ErrorCode.UPLOAD_TOO_SLOW if status == 408 else ErrorCode.INVALID_REQUEST
        body = ErrorBody(error=ErrorDetail(code=code, message=message, accepted=accepted)).model_dump_json().encode()
        head = f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        self.transport.write(STATUS_LINE[status] + head.encode() + body)
        self._close()

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _stop_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None
