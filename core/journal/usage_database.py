"""The database of what visitors asked: ``usage.sqlite3`` beside the gallery's, or a schema beside the gallery's.

Not tables of the gallery: it is written at every match, holds traces of visitors, which neither a backup of the gallery
nor its former database may keep longer than allowed, and may be deleted while no service runs.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from core.errors import GalleryUnavailable
from core.gallery.database.migrations import apply_migrations
from core.gallery.database.port import Connection
from core.gallery.database.sqlite import SqliteDatabase
from core.gallery.storage import LOCAL, Storage, open_database
from core.journal.inbox_rows import m005_inbox
from core.journal.job_rows import m002_jobs
from core.journal.match_rows import m001_matches
from core.journal.outbox_rows import m004_outbox
from core.journal.reply_rows import m003_replies

_NAME = "usage"
USAGE_NAME = f"{_NAME}.sqlite3"

_MIGRATIONS = (m001_matches, m002_jobs, m003_replies, m004_outbox, m005_inbox)


class UsageDatabase:
    """The database of matches, feedback, jobs, replies to writes, events to be sent and photos of the inbox.

    Safe for several threads, processes and, with PostgreSQL, machines. It is created when it is first needed, so that
    searches work even if it cannot be written.

    Attributes:
        is_file: it is a file beside a gallery on one machine, whose disk it must not fill.
    """

    def __init__(self, folder: Path, storage: Storage = LOCAL) -> None:
        """Choose the database; nothing is read or written yet.

        Args:
            folder: of the gallery.
            storage: where the gallery's rows are kept, and these beside them.
        """
        self._database = open_database(folder.absolute(), storage, read_only=False, name=_NAME)
        self.is_file = isinstance(self._database, SqliteDatabase)
        self._is_ready = False
        self._preparing = Lock()

    def exists(self) -> bool:
        """Whether it has been created."""
        with self._naming_itself():
            return self._database.exists()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Lend a connection for reading.

        Raises:
            GalleryUnavailable: the database cannot be used.
        """
        self._prepare()
        with self._naming_itself(), self._database.reading() as connection:
            yield connection

    @contextmanager
    def writing(self, *, overwriting: bool = False) -> Iterator[Connection]:
        """Lend the writing connection; the block is committed if it ends without an exception.

        Args:
            overwriting: overwrite deleted rows in SQLite's files at once, also in its write-ahead log. PostgreSQL does
                so later (VACUUM, and its own write-ahead log).

        Raises:
            GalleryUnavailable: nothing was written.
        """
        self._prepare()
        with self._naming_itself(), self._database.writing() as connection:
            yield connection
            connection.execute("COMMIT")
            if overwriting and self.is_file:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close the database; closing twice is fine."""
        self._database.close()

    def _prepare(self) -> None:
        with self._preparing:
            if self._is_ready:
                return
            with self._naming_itself(), self._database.writing() as connection:
                apply_migrations(connection, self._database.dialect, _MIGRATIONS)
                if self.is_file:
                    connection.execute("PRAGMA secure_delete = ON")
                connection.execute("COMMIT")
            self._is_ready = True

    @contextmanager
    def _naming_itself(self) -> Iterator[None]:
        kept = USAGE_NAME if self.is_file else f"PostgreSQL's schema {_NAME}"
        try:
            yield
        except GalleryUnavailable as exc:
            raise GalleryUnavailable(
                f"the log of matches ({kept}, which may be deleted while no service runs) cannot be used: {exc}"
            ) from exc
