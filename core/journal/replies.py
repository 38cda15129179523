"""Replies to writes that callers named by a key, so that a write which is sent again is not done again.

While a write is being done, its row is a lease, which its owner renews with a heartbeat. After ``SILENT_S`` seconds
without one the owner is taken for dead, and the write may be begun again.
"""

from dataclasses import dataclass

from core.errors import InvalidRequest
from core.journal.jobs import SILENT_S
from core.journal.usage_database import UsageDatabase

KEPT_S = 86_400.0
"""For so long a reply is repeated."""

MOST_REPLIES = 10_000
MOST_BYTES = 64 * 1024 * 1024
"""Of all bodies together. Beyond one of the two, the oldest replies are deleted before their time."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The state of a write.

    Attributes:
        status: HTTP status of its reply; None while it is being done.
        body: of its reply.
    """

    status: int | None
    body: bytes


class Replies:
    """The replies of all replicas. Safe for several threads. Every method may raise ``GalleryUnavailable``."""

    def __init__(self, database: UsageDatabase) -> None:
        self._database = database

    def begin(self, name: str, request: str, owner: str, now: float) -> Reply | None:
        """Begin a write, unless it is being done or was done.

        Args:
            name: of the write.
            request: the hash of what is asked.
            owner: names this one attempt.
            now: seconds since 1970 UTC.

        Returns:
            None if the caller may do the write, else its state.

        Raises:
            InvalidRequest: the name belongs to a write of another request.
        """
        with self._database.writing() as connection:
            connection.execute("DELETE FROM replies WHERE at < ?", (now - KEPT_S,))
            row = connection.execute("SELECT request, at, status, body FROM replies WHERE name = ?", (name,)).fetchone()
            is_lost = row is not None and row[2] is None and row[1] < now - SILENT_S
            if row is None or is_lost:
                connection.execute("DELETE FROM replies WHERE name = ?", (name,))
                connection.execute("INSERT INTO replies VALUES (?, ?, ?, ?, NULL, NULL)", (name, request, owner, now))
                return None
        if row[0] != request:
            raise InvalidRequest(
                "this Idempotency-Key was sent with another request; use a new key for every new request"
            )
        return Reply(row[2], row[3] or b"")

    def heartbeat(self, name: str, owner: str, now: float) -> None:
        """Renew the lease of a write that is being done."""
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE replies SET at = ? WHERE name = ? AND holder = ? AND status IS NULL", (now, name, owner)
            )

    def finish(self, name: str, owner: str, reply: Reply, now: float) -> None:
        """Store the reply of a write, and delete the oldest replies beyond the limits."""
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE replies SET at = ?, status = ?, body = ? WHERE name = ? AND holder = ?",
                (now, reply.status, reply.body, name, owner),
            )
            sizes = connection.execute(
                "SELECT name, length(body) FROM replies WHERE status IS NOT NULL ORDER BY at DESC, name"
            ).fetchall()
            total = 0
            for number, (stored, size) in enumerate(sizes, 1):
                total += size
                if number > MOST_REPLIES or total > MOST_BYTES:
                    connection.execute("DELETE FROM replies WHERE name = ?", (stored,))

    def forget(self, now: float) -> None:
        """Delete the replies whose time is over; without a database, none is made."""
        if self._database.exists():
            with self._database.writing() as connection:
                connection.execute("DELETE FROM replies WHERE at < ?", (now - KEPT_S,))

    def abandon(self, name: str, owner: str) -> None:
        """Forget a write that failed, so that it can be sent again."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM replies WHERE name = ? AND holder = ? AND status IS NULL", (name, owner))
