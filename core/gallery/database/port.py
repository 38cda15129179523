"""The port to the database: one dialect of SQL that SQLite and PostgreSQL both accept.

Values are written as ``?``. Constructs that both accept: ``CASE`` for a choice, ``RETURNING`` for a new row's id,
``core.gallery.database.pages.contains`` for text, ``placeholders`` for lists, ``CAST(sum(...) AS BIGINT)`` for a total.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from threading import Lock
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import GalleryUnavailable

_VALUES_AT_ONCE = 1000


class Rows(Protocol):
    """The result of a statement: rows, each a sequence of its columns."""

    def fetchone(self) -> Any:
        """The next row, or None."""

    def fetchall(self) -> list[Any]:
        """All rows that are left."""

    def __iter__(self) -> Iterator[Any]: ...


@contextmanager
def taking_turn(lock: Lock, timeout_s: float, place: str) -> Iterator[None]:
    """Hold the lock that the writers of one process share.

    Raises:
        GalleryUnavailable: another has held it for ``timeout_s``.
    """
    if not lock.acquire(timeout=timeout_s):
        raise GalleryUnavailable(
            f"the gallery in {place} cannot be changed: this process is still writing something else; try again later"
        )
    try:
        yield
    finally:
        lock.release()


class Connection(Protocol):
    """Runs one statement at a time, for one thread at a time."""

    def execute(self, sql: str, values: Any = (), /) -> Rows:
        """Run a statement; outside a transaction it commits by itself."""


class Dialect(Protocol):
    """In what databases differ: column types, where the schema version is stored, and how JSON is read.

    Attributes:
        growing_id: a primary key that grows with every row and is never used twice.
        row_id: a primary key given by the database.
        then_by_seq: ends an index's columns on images, so that its rows come by seq.
        integer: 64 bits.
        real: 64 bits.
        text: Unicode, ordered by code point.
        blob: bytes.
    """

    growing_id: str
    row_id: str
    then_by_seq: str
    integer: str
    real: str
    text: str
    blob: str

    def schema_version(self, connection: Connection) -> int:
        """How many migrations have been applied; 0 for a blank database."""

    def write_schema_version(self, connection: Connection, version: int) -> None:
        """Record how many migrations have been applied, in the caller's transaction."""

    def holds_tables(self, connection: Connection) -> bool:
        """Whether there is any table, the gallery's or not."""

    def texts_within(self, column: str) -> str:
        """Write a query of the texts within a column of JSON, without keys: rows of one column, ``value``."""


class Database(Protocol):
    """Stores rows durably: a commit that has returned survives a power cut.

    Readers never wait for the writer and see every commit at once, also those of other processes.
    """

    @property
    def place(self) -> str:
        """Its location for messages, without a password."""

    @property
    def read_only(self) -> bool:
        """Whether ``writing`` is refused."""

    @property
    def dialect(self) -> Dialect:
        """In what it differs from other databases."""

    def exists(self) -> bool:
        """Whether it can be read; False before the first writer has created it."""

    def reading(self) -> AbstractContextManager[Connection]:
        """Lend a connection for reading; each statement sees the newest commit, those after BEGIN one snapshot.

        Raises:
            GalleryUnavailable: the database cannot be used, or what ran in the block failed there.
        """

    def writing(self) -> AbstractContextManager[Connection]:
        """Lend the writing connection inside a transaction, while no other process or thread writes.

        The caller commits with ``connection.execute("COMMIT")``; leaving without it undoes everything.

        Raises:
            GalleryUnavailable: as ``reading``; or it was opened read-only.
        """

    def close(self) -> None:
        """Close every connection, after the running write, if any, has ended. Closing twice is fine."""


def in_chunks(values: Sequence[int] | NDArray[np.int64]) -> Iterator[list[int]]:
    """Split values into chunks for ``placeholders``, whose number per statement is limited."""
    for start in range(0, len(values), _VALUES_AT_ONCE):
        yield np.asarray(values[start : start + _VALUES_AT_ONCE], np.int64).tolist()


def placeholders(count: int) -> str:
    """Write ``(?, ?, ...)`` for so many values, >= 1."""
    return f"({', '.join('?' * count)})"
