"""Photos of visitors that were not recognised with certainty, or wrongly, kept with their consent for a curator."""

import hashlib
from dataclasses import dataclass

from core.errors import InvalidRequest, UnknownInboxPhoto
from core.gallery.database.pages import check_limit, read_cursor, write_cursor
from core.journal.inbox_rows import delete_surplus
from core.journal.match_rows import COLUMNS, to_match
from core.journal.records import Retention, StoredMatch
from core.journal.usage_database import UsageDatabase

MOST_PHOTOS = 1_000
MOST_BYTES = 500_000_000
"""Beyond so many photos or bytes, the oldest photos are deleted before their time."""

MOST_OF_A_MATCH = 5

CLAIM_S = 600.0
"""For so long a photo belongs to the curator who decides about it; should the process die, others can decide again."""

_DAY_S = 86_400.0
_IS_OVER = "until <= ? OR kept_at <= ?"


@dataclass(frozen=True, slots=True)
class InboxEntry:
    """A photo in the inbox.

    Attributes:
        number: of the entry; grows.
        kept_until: when it is deleted, seconds since 1970 UTC.
        stored: the match that it was sent to.
    """

    number: int
    kept_until: float
    stored: StoredMatch


class Inbox:
    """The photos, in the database of matches. Safe for several threads, and for several replicas on one database.

    A photo whose time is over is not returned any more; ``forget`` deletes it.

    Attributes:
        days: for which a photo is kept; 0: none are taken.
    """

    def __init__(self, database: UsageDatabase, retention: Retention) -> None:
        """Take the database and the retention."""
        self.days = retention.inbox_days if retention.match_days else 0
        self._database = database

    def check_is_wanted(self, stored: StoredMatch) -> None:
        """Let pass only a match whose photo may be kept: one without an answer, or with feedback that it was wrong.

        Raises:
            InvalidRequest: no photo of this match is taken.
        """
        if not self.days:
            raise InvalidRequest("no photos are taken here: the inbox is switched off; M1_INBOX_DAYS switches it on")
        verdict = stored.feedback.verdict if stored.feedback else None
        if stored.match.matched and verdict in (None, "right"):
            raise InvalidRequest(
                f"the photo of request {stored.match.request_id!r} was recognised and nobody has said that this was "
                "wrong; photos are taken of answers that are none or maybe, or are wrong by feedback"
            )

    def keep(self, stored: StoredMatch, photo: bytes, at: float) -> float:
        """Keep a photo; one that is there already is kept once. The oldest ones beyond the limits are deleted.

        Args:
            stored: the match that it was sent to.
            photo: JPEG without metadata.
            at: now, seconds since 1970 UTC.

        Returns:
            Until when it is kept at most, seconds since 1970 UTC. It is on the disk.

        Raises:
            InvalidRequest: no photo of this match is taken, or it has too many.
            GalleryUnavailable: it was not stored.
        """
        self.check_is_wanted(stored)
        digest = hashlib.sha256(photo).hexdigest()
        with self._database.writing(overwriting=True) as connection:
            others = connection.execute(
                "SELECT count(*) FROM inbox WHERE match = ? AND digest <> ?", (stored.number, digest)
            ).fetchone()[0]
            if others >= MOST_OF_A_MATCH:
                raise InvalidRequest(f"too many photos of one match: {others + 1}; at most {MOST_OF_A_MATCH} are taken")
            connection.execute(
                """
                INSERT INTO inbox (match, kept_at, until, digest, bytes, photo, claimed_until)
                VALUES (?, ?, ?, ?, ?, ?, 0)
                ON CONFLICT DO NOTHING
                """,
                (stored.number, at, at + self.days * _DAY_S, digest, len(photo), photo),
            )
            until: float = connection.execute(
                "SELECT until FROM inbox WHERE match = ? AND digest = ?", (stored.number, digest)
            ).fetchone()[0]
            delete_surplus(connection, MOST_PHOTOS, MOST_BYTES)
        return until

    def page(
        self, collection: str, now: float, cursor: str | None = None, limit: int = 50
    ) -> tuple[list[InboxEntry], str | None]:
        """List the photos sent to a collection, newest first.

        Args:
            collection: that was asked.
            now: seconds since 1970 UTC.
            cursor: of the page before.
            limit: at most so many, [1, 1000].

        Returns:
            The entries, and the cursor of the next page; None on the last.

        Raises:
            InvalidRequest: bad cursor or limit.
            GalleryUnavailable: the inbox cannot be read.
        """
        (before,) = read_cursor(cursor, int) if cursor is not None else [2**62]
        entries = self._select("collection = ? AND number < ?", (collection, before), now, check_limit(limit) + 1)
        more = len(entries) > limit
        return entries[:limit], write_cursor(entries[limit - 1].number) if more else None

    def entry(self, number: int, now: float) -> InboxEntry:
        """Read one entry.

        Raises:
            UnknownInboxPhoto: it is not there, or its time is over.
            GalleryUnavailable: the inbox cannot be read.
        """
        found = self._select("number = ?", (number,), now, 1)
        if not found:
            raise _unknown(number)
        return found[0]

    def photo(self, number: int, now: float) -> bytes:
        """Read the photo of an entry: a JPEG without metadata.

        Raises:
            UnknownInboxPhoto: as ``entry``.
            GalleryUnavailable: the inbox cannot be read.
        """
        with self._database.reading() as connection:
            row = connection.execute(
                f"SELECT photo FROM inbox WHERE number = ? AND NOT ({_IS_OVER})", (number, *self._over(now))
            ).fetchone()
        if row is None:
            raise _unknown(number)
        return bytes(row[0])

    def claim(self, number: int, now: float) -> bool:
        """Claim an entry before a decision is carried out; the claim ends with ``remove``, ``release`` or ``CLAIM_S``.

        Returns:
            False if somebody else has claimed it, or it is not there.

        Raises:
            GalleryUnavailable: nothing was claimed.
        """
        with self._database.writing() as connection:
            claimed = connection.execute(
                "UPDATE inbox SET claimed_until = ? WHERE number = ? AND claimed_until <= ? RETURNING number",
                (now + CLAIM_S, number, now),
            ).fetchall()
        return bool(claimed)

    def release(self, number: int) -> None:
        """End a claim without a decision.

        Raises:
            GalleryUnavailable: the claim stays until its time is over.
        """
        with self._database.writing() as connection:
            connection.execute("UPDATE inbox SET claimed_until = 0 WHERE number = ?", (number,))

    def withdraw(self, request_id: str, now: float) -> int:
        """Delete all photos of a request, because the visitor withdraws the consent.

        In SQLite the bytes are overwritten as well. A photo that a curator is deciding about is left to the decision.

        Returns:
            How many were deleted.

        Raises:
            GalleryUnavailable: nothing was deleted.
        """
        of_request = "match IN (SELECT id FROM matches WHERE request_id = ?)"
        return self._delete(f"{of_request} AND claimed_until <= ?", (request_id, now))

    def remove(self, number: int) -> None:
        """Delete an entry; in SQLite the bytes are overwritten as well. One that is not there is fine.

        Raises:
            GalleryUnavailable: nothing was deleted.
        """
        with self._database.writing(overwriting=True) as connection:
            connection.execute("DELETE FROM inbox WHERE number = ?", (number,))

    def forget(self, now: float) -> int:
        """Delete the photos whose time is over; in SQLite the bytes are overwritten as well.

        Returns:
            How many were deleted.

        Raises:
            GalleryUnavailable: nothing was deleted.
        """
        return self._delete(_IS_OVER, self._over(now))

    def _delete(self, condition: str, values: tuple[object, ...]) -> int:
        if not self._database.exists():
            return 0
        with self._database.writing(overwriting=True) as connection:
            return len(connection.execute(f"DELETE FROM inbox WHERE {condition} RETURNING number", values).fetchall())

    def _over(self, now: float) -> tuple[float, float]:
        """The values of ``_IS_OVER``."""
        return now, now - self.days * _DAY_S

    def _select(self, condition: str, values: tuple[object, ...], now: float, limit: int) -> list[InboxEntry]:
        with self._database.reading() as connection:
            rows = connection.execute(
                f"""
                SELECT {COLUMNS}, number, kept_at, until
                FROM inbox JOIN matches ON matches.id = inbox.match LEFT JOIN feedback ON feedback.match = matches.id
                WHERE {condition} AND NOT ({_IS_OVER}) ORDER BY number DESC LIMIT ?
                """,
                (*values, *self._over(now), limit),
            ).fetchall()
        return [
            InboxEntry(number, min(until, kept_at + self.days * _DAY_S), to_match(match))
            for *match, number, kept_at, until in rows
        ]


def _unknown(number: int) -> UnknownInboxPhoto:
    return UnknownInboxPhoto(f"no photo of number {number} is in the inbox; its time may be over")
