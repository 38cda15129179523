"""Work in the background, written down so that every replica can tell of it, end it, and not begin it a second time.

Whoever works says so every few seconds. A job that nobody has spoken of for longer has lost its process.
"""

from dataclasses import dataclass

from core.journal.usage_database import UsageDatabase

SILENT_S = 30.0
"""After so long without a word a job's process is taken for dead. Several times what passes between two words."""

KEPT_S = 86_400.0
"""For so long it is known how a job ended."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is known of one.

    Attributes:
        name: of what is worked on; the word before the first space says of what kind it is.
        holder: names whoever works, for this one job.
        body: what it said of its work.
        at: when, seconds since 1970 UTC.
        is_running: it has not said its last word.
        is_lost: it is running, by its own words, but has been silent for too long.
        is_unwanted: somebody wants it stopped.
    """

    name: str
    holder: str
    body: str
    at: float
    is_running: bool
    is_lost: bool
    is_unwanted: bool


class Jobs:
    """Those of all replicas. Safe for several threads."""

    def __init__(self, database: UsageDatabase) -> None:
        """Compose."""
        self._database = database

    def begin(self, name: str, holder: str, body: str, now: float) -> Job | None:
        """Begin a job, unless one of its kind is running. One that was silent for too long is to stop if it still can.

        Args:
            name: of what is worked on.
            holder: names whoever will work, for this one job; said a second time, it has begun already.
            body: what it says of its work.
            now: seconds since 1970 UTC.

        Returns:
            None where it is begun, else the one that is running.

        Raises:
            GalleryUnavailable: it is not begun; so do all others.
        """
        kind = name.partition(" ")[0]
        with self._database.writing() as connection:
            rows = connection.execute(f"{_SELECT} WHERE is_running = 1").fetchall()
            of_kind = [job for job in (_to_job(row, now) for row in rows) if job.name.partition(" ")[0] == kind]
            running = [job for job in of_kind if not job.is_lost]
            if any((job.name, job.holder) == (name, holder) for job in running):
                return None
            if running:
                return running[0]
            for lost in of_kind:
                connection.execute("UPDATE jobs SET is_unwanted = 1 WHERE name = ?", (lost.name,))
            connection.execute("DELETE FROM jobs WHERE name = ? OR at < ?", (name, now - KEPT_S))
            connection.execute("INSERT INTO jobs VALUES (?, ?, ?, ?, 1, 0)", (name, holder, body, now))
        return None

    def tell(self, name: str, holder: str, body: str, now: float, *, is_running: bool) -> bool:
        """Say how far a job is, or how it ended.

        Returns:
            Whether to go on; not where somebody wants it stopped, or it was begun anew by somebody else.
        """
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE jobs SET body = ?, at = ?, is_running = ? WHERE name = ? AND holder = ?",
                (body, now, int(is_running), name, holder),
            )
            row = connection.execute("SELECT holder, is_unwanted FROM jobs WHERE name = ?", (name,)).fetchone()
        return row is not None and row[0] == holder and not row[1]

    def stop(self, name: str, now: float) -> bool:
        """Want a job stopped; whether it was running."""
        with self._database.writing() as connection:
            stopped = connection.execute(
                "UPDATE jobs SET is_unwanted = 1 WHERE name = ? AND is_running = 1 AND at >= ? RETURNING name",
                (name, now - SILENT_S),
            ).fetchall()
        return bool(stopped)

    def find(self, name: str, now: float) -> Job | None:
        """What is known of a job; None of one that never was, or ended long ago."""
        with self._database.reading() as connection:
            row = connection.execute(f"{_SELECT} WHERE name = ? AND at >= ?", (name, now - KEPT_S)).fetchone()
        return None if row is None else _to_job(row, now)

    def forget(self, name: str) -> None:
        """Know nothing more of a job."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM jobs WHERE name = ?", (name,))


_SELECT = "SELECT name, holder, body, at, is_running, is_unwanted FROM jobs"


def _to_job(row: tuple[str, str, str, float, int, int], now: float) -> Job:
    name, holder, body, at, is_running, is_unwanted = row
    return Job(name, holder, body, at, bool(is_running), bool(is_running) and at < now - SILENT_S, bool(is_unwanted))
