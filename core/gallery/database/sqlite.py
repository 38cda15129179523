"""SQLite as the gallery's database: a file of its own, for one machine."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Lock

from core.errors import GalleryUnavailable
from core.gallery.database.port import Connection, taking_turn

_CAUSES = (
    ("SQLITE_BUSY", "another process holds its lock; try again when that one has finished"),
    ("SQLITE_LOCKED", "another process holds its lock; try again when that one has finished"),
    ("SQLITE_FULL", "the disk is full; free some space"),
    ("SQLITE_CORRUPT", "it is damaged; restore a copy, or rebuild with scripts/build_database.py"),
    ("SQLITE_NOTADB", "it is damaged; restore a copy, or rebuild with scripts/build_database.py"),
    (
        "SQLITE_READONLY",
        "it cannot be written; this process runs as user {user}: check that the folder is that user's, and that the "
        "disk is not read-only",
    ),
    (
        "SQLITE_CANTOPEN",
        "it cannot be opened; this process runs as user {user}: check that the folder exists, that it is that user's, "
        "and that the disk is not read-only",
    ),
)


@contextmanager
def translating_failures(folder: Path) -> Iterator[None]:
    """Turn what SQLite and the file system raise into ``GalleryUnavailable`` with the cause and what to do."""
    try:
        yield
    except sqlite3.Error as exc:
        name = getattr(exc, "sqlite_errorname", "")
        advice = next((advice for prefix, advice in _CAUSES if name.startswith(prefix)), f"it failed: {exc}")
        advice = advice.replace("{user}", str(os.getuid()))
        raise GalleryUnavailable(f"the gallery's database in {folder} cannot be used: {advice}") from exc
    except OSError as exc:
        reason = exc.strerror or type(exc).__name__
        raise GalleryUnavailable(f"the gallery's files in {folder} cannot be used: {reason} ({exc.filename})") from exc


class SqliteDialect:
    """SQLite's column types, schema version and JSON; see ``core.gallery.database.port.Dialect``."""

    growing_id = "INTEGER PRIMARY KEY AUTOINCREMENT"
    row_id = "INTEGER PRIMARY KEY"
    then_by_seq = ""  # every index of SQLite ends with the row's id, which seq is
    integer = "INTEGER"
    real = "REAL"
    text = "TEXT"
    blob = "BLOB"

    def schema_version(self, connection: Connection) -> int:
        """Read SQLite's ``user_version``."""
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        return version

    def write_schema_version(self, connection: Connection, version: int) -> None:
        """Write SQLite's ``user_version``."""
        connection.execute(f"PRAGMA user_version = {version}")

    def holds_tables(self, connection: Connection) -> bool:
        """Look into SQLite's own list."""
        return bool(connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0])

    def texts_within(self, column: str) -> str:
        """Use ``json_tree``."""
        return f"SELECT value FROM json_tree({column}) WHERE type = 'text'"


class SqliteDatabase:
    """One SQLite file in WAL mode with ``synchronous=FULL``: a commit that returned survives a power cut.

    Readers never wait for the writer and see every commit at once, also those of other processes.
    """

    dialect = SqliteDialect()

    def __init__(self, path: Path, *, read_only: bool, lock_timeout_s: float) -> None:
        """Set the path; connections are opened when they are first needed.

        Args:
            path: the file; a writer creates it.
            read_only: open it without the right to change anything.
            lock_timeout_s: how long to wait for another writer.
        """
        self.path = path
        self.read_only = read_only
        self._wal_path = path.with_name(f"{path.name}-wal")
        self._lock_timeout_s = lock_timeout_s
        self._idle: list[sqlite3.Connection] = []
        self._idle_lock = Lock()
        self._writer: sqlite3.Connection | None = None
        self._writer_lock = Lock()
        self._closed = False

    @property
    def place(self) -> str:
        """The folder it lies in."""
        return str(self.path.parent)

    def exists(self) -> bool:
        """Whether the file is there."""
        return self.path.is_file()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection for reading; each statement sees the newest commit."""
        with self._idle_lock:
            self._refuse_closed()
            connection = self._idle.pop() if self._idle else None
        with translating_failures(self.path.parent):
            # Without a writer there is no WAL, and in a folder that is mounted read-only none can be created. Then only
            # the file is read, on a new connection every time, because a writer may start.
            is_resting = connection is None and not self._wal_path.exists() and not self._may_create_files()
            connection = connection or self._connect("ro&immutable=1" if is_resting else "ro")
            try:
                yield connection
            finally:
                with self._idle_lock:
                    if self._closed or is_resting:
                        connection.close()
                    else:
                        self._idle.append(connection)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Lend the writing connection inside a transaction that holds the database's write lock.

        The caller commits with ``connection.execute("COMMIT")``; leaving without it undoes everything.
        """
        if self.read_only:
            raise GalleryUnavailable(f"the gallery in {self.path.parent} was opened read-only; it cannot be changed")
        with taking_turn(self._writer_lock, self._lock_timeout_s, self.place), translating_failures(self.path.parent):
            self._refuse_closed()
            if self._writer is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._writer = self._open_writer()
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
            finally:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")

    def copy_to(self, path: Path) -> None:
        """Write what is committed at this moment to a file of its own, which needs no WAL beside it.

        Others go on reading and writing meanwhile.

        Args:
            path: where nothing is yet.
        """
        with self.reading() as connection, closing(sqlite3.connect(path)) as copy:
            connection.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
        with path.open("rb") as file:
            os.fsync(file.fileno())

    def close(self) -> None:
        """Close every connection, after the running write, if any, has ended. Closing twice is fine."""
        with self._writer_lock, self._idle_lock:
            self._closed = True
            for connection in self._idle:
                connection.close()
            self._idle.clear()
            if self._writer is not None:
                self._writer.close()
                self._writer = None

    def _open_writer(self) -> sqlite3.Connection:
        connection = self._connect("rwc")
        try:
            # Larger pages suit rows of 5 KB vectors and 70 KB features; only a blank file takes the value.
            connection.execute("PRAGMA page_size = 16384")
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            if mode != "wal":
                raise GalleryUnavailable(
                    f"the file system of {self.path.parent} does not support SQLite's WAL mode; use a local disk"
                )
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA journal_size_limit = 67108864")
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect(self, mode: str) -> sqlite3.Connection:
        return sqlite3.connect(
            f"{self.path.as_uri()}?mode={mode}",
            uri=True,
            timeout=self._lock_timeout_s,
            isolation_level=None,  # transactions begin and end where the code says so
            check_same_thread=False,  # lent to one thread at a time
        )

    def _may_create_files(self) -> bool:
        return os.access(self.path.parent, os.W_OK, effective_ids=os.access in os.supports_effective_ids)

    def _refuse_closed(self) -> None:
        if self._closed:
            raise GalleryUnavailable(f"the gallery in {self.path.parent} has been closed")
