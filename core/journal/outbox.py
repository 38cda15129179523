"""Events that are to be sent, written down before the request that caused them is acknowledged."""

from collections.abc import Collection
from dataclasses import dataclass

from core.journal.usage_database import UsageDatabase

KEPT_S = 86_400.0
"""An event that could not be sent for so long is given up."""

MOST_WAITING = 10_000
"""Beyond it, the oldest events are given up."""

LEASE_S = 60.0
"""For so long an event belongs to the process that takes it; should that one die, another sends it."""

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 5.0, 3600.0


@dataclass(frozen=True, slots=True)
class WaitingEvent:
    """An event that is being sent.

    Attributes:
        event_id: the same at every attempt, so that receivers recognise repetitions.
        body: in JSON.
        tries: attempts so far, with this one.
    """

    event_id: str
    body: str
    tries: int

    @property
    def pause_s(self) -> float:
        """How long to wait after a failure: 5 s, then four times as long every time, an hour at most."""
        return min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 4.0 ** min(self.tries - 1, 10))


class Outbox:
    """The events of all replicas. Safe for several threads. Every method may raise ``GalleryUnavailable``."""

    def __init__(self, database: UsageDatabase) -> None:
        self._database = database

    def put(self, event_id: str, body: str, now: float) -> int:
        """Store an event. It is on the disk.

        Returns:
            How many events were given up for it.
        """
        with self._database.writing() as connection:
            connection.execute("INSERT INTO outbox VALUES (?, ?, ?, 0, ?)", (event_id, body, now, now))
            given_up = connection.execute(
                "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox ORDER BY at DESC, id LIMIT ? OFFSET ?) "
                "RETURNING id",
                (MOST_WAITING, MOST_WAITING),
            ).fetchall()
        return len(given_up)

    def take(self, now: float) -> WaitingEvent | None:
        """Take the event that has been due longest, for ``LEASE_S`` seconds; None if none is due."""
        with self._database.writing() as connection:
            rows = connection.execute(
                "UPDATE outbox SET tries = tries + 1, due = ? "
                "WHERE id = (SELECT id FROM outbox WHERE due <= ? ORDER BY due, id LIMIT 1) "
                "RETURNING id, body, tries",
                (now + LEASE_S, now),
            ).fetchall()
        return WaitingEvent(*rows[0]) if rows else None

    def remove(self, event_id: str) -> None:
        """Delete an event that was received."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM outbox WHERE id = ?", (event_id,))

    def postpone(self, event_id: str, due: float) -> None:
        """Set the time of the next attempt."""
        with self._database.writing() as connection:
            connection.execute("UPDATE outbox SET due = ? WHERE id = ?", (due, event_id))

    def give_up(self, now: float) -> int:
        """Delete the events whose time is over. Return how many; without a database, none is made."""
        if not self._database.exists():
            return 0
        with self._database.writing() as connection:
            rows = connection.execute("DELETE FROM outbox WHERE at < ? RETURNING id", (now - KEPT_S,)).fetchall()
        return len(rows)

    def next_due(self) -> float | None:
        """When the next event is due; None without events."""
        with self._database.reading() as connection:
            due: float | None = connection.execute("SELECT min(due) FROM outbox").fetchone()[0]
        return due

    def noted(self, name: str) -> str | None:
        """Read a value that was noted; None without one."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT value FROM noted WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def note(self, name: str, value: str) -> None:
        """Store a value for the next comparison."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM noted WHERE name = ?", (name,))
            connection.execute("INSERT INTO noted VALUES (?, ?)", (name, value))

    def forget_notes(self, but: Collection[str]) -> None:
        """Delete all noted values but those of these names."""
        with self._database.writing() as connection:
            for (name,) in connection.execute("SELECT name FROM noted").fetchall():
                if name not in but:
                    connection.execute("DELETE FROM noted WHERE name = ?", (name,))
