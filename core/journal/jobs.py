"""Work in the background, written down so that every replica can show it, stop it, and not begin it a second time.

A row is a lease, which its owner renews with a heartbeat. After ``SILENT_S`` seconds without one it is lost.
"""

from dataclasses import dataclass

from core.journal.usage_database import UsageDatabase

SILENT_S = 30.0
"""After so long without a heartbeat a job's process is taken for dead. Many times the pause between two of them."""

KEPT_S = 86_400.0
"""For so long it is known how a job ended."""


@dataclass(frozen=True, slots=True)
class Job:
    """The record of one job.

    Attributes:
        name: of what is worked on; what stands before the first space is its kind.
        owner: names this one run of the job.
        body: its progress or result, in the owner's own form.
        at: time of the latest heartbeat, seconds since 1970 UTC.
        is_running: it has not ended.
        is_lost: it has not ended, but there was no heartbeat for too long.
        is_cancelled: it is to stop at its next heartbeat.
    """

    name: str
    owner: str
    body: str
    at: float
    is_running: bool
    is_lost: bool
    is_cancelled: bool


class Jobs:
    """The jobs of all replicas. Safe for several threads."""

    def __init__(self, database: UsageDatabase) -> None:
        self._database = database

    def begin(self, name: str, owner: str, body: str, now: float) -> Job | None:
        """Begin a job, unless one of its kind is running. One that is lost is cancelled, should it come back.

        Args:
            name: of what is worked on.
            owner: names this one run.
            body: see ``Job``.
            now: seconds since 1970 UTC.

        Returns:
            None where it is begun, else the one that is running; that of the same name where there are two.

        Raises:
            GalleryUnavailable: it was not started; every method may raise this.
        """
        kind = name.partition(" ")[0]
        with self._database.writing() as connection:
            rows = connection.execute(f"{_SELECT} WHERE is_running = 1").fetchall()
            of_kind = [job for job in (_to_job(row, now) for row in rows) if job.name.partition(" ")[0] == kind]
            running = [job for job in of_kind if not job.is_lost]
            if running:
                return next((job for job in running if job.name == name), running[0])
            for lost in of_kind:
                connection.execute("UPDATE jobs SET is_unwanted = 1 WHERE name = ?", (lost.name,))
            connection.execute("DELETE FROM jobs WHERE name = ? OR at < ?", (name, now - KEPT_S))
            connection.execute("INSERT INTO jobs VALUES (?, ?, ?, ?, 1, 0)", (name, owner, body, now))
        return None

    def heartbeat(self, name: str, owner: str, body: str, now: float, *, is_running: bool) -> bool:
        """Renew a job's lease with its progress, or end it with its result.

        Returns:
            Whether to go on; False if it was cancelled, or begun again by another owner.
        """
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE jobs SET body = ?, at = ?, is_running = ? WHERE name = ? AND holder = ?",
                (body, now, int(is_running), name, owner),
            )
            row = connection.execute("SELECT holder, is_unwanted FROM jobs WHERE name = ?", (name,)).fetchone()
        return row is not None and row[0] == owner and not row[1]

    def stop(self, name: str, now: float) -> bool:
        """Cancel a job at its next heartbeat; whether it was running."""
        with self._database.writing() as connection:
            stopped = connection.execute(
                "UPDATE jobs SET is_unwanted = 1 WHERE name = ? AND is_running = 1 AND at >= ? RETURNING name",
                (name, now - SILENT_S),
            ).fetchall()
        return bool(stopped)

    def find(self, name: str, now: float) -> Job | None:
        """The latest run of a job; None where there was none, or it ended more than a day ago."""
        with self._database.reading() as connection:
            row = connection.execute(f"{_SELECT} WHERE name = ? AND at >= ?", (name, now - KEPT_S)).fetchone()
        return None if row is None else _to_job(row, now)

    def forget(self, name: str) -> None:
        """Delete the record of a job."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM jobs WHERE name = ?", (name,))


_SELECT = "SELECT name, holder, body, at, is_running, is_unwanted FROM jobs"


def _to_job(row: tuple[str, str, str, float, int, int], now: float) -> Job:
    name, owner, body, at, is_running, is_cancelled = row
    return Job(name, owner, body, at, bool(is_running), bool(is_running) and at < now - SILENT_S, bool(is_cancelled))
