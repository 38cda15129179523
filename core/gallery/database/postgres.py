"""PostgreSQL as the gallery's database: a schema of its own, for several machines."""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from time import monotonic
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from psycopg_pool import ConnectionPool, PoolTimeout

from core.errors import GalleryUnavailable, InvalidRequest
from core.gallery.database.port import Connection, Rows, taking_turn

_NOTICED_AFTER_S = 300  # a process that hangs inside a transaction is disconnected, so that others can write
_MOST_READING = 8
_CONNECTING_S = 1.0  # longer than a server in the same network takes to accept a connection

_STANDBY = "it is a standby that cannot be written; give the address of the primary"
_NO_DATABASE = "there is no database of that name on the server; create it with createdb"
_LOCKED = "another process holds its lock; try again when that one has finished"
_AWAY = "the server does not answer; check that it runs, its address, and the network"
_REFUSED = "the server refuses the user or the password; check both in the URL, and the server's pg_hba.conf"
# The longest prefix of a SQLSTATE counts; see the appendix "PostgreSQL Error Codes" of its manual.
_CAUSES = {
    "08": _AWAY,
    "25006": _STANDBY,
    "28": _REFUSED,
    "3D000": _NO_DATABASE,
    "40": _LOCKED,
    "42501": "the user lacks the right to do this; let the database belong to it",
    "53100": "the server's disk is full; free some space",
    "53300": "the server has no connection left; raise its max_connections, or run fewer replicas",
    "55P03": _LOCKED,
    "57P": _AWAY,
    "XX001": "it is damaged; restore a backup",
    "XX002": "it is damaged; restore a backup",
}
# Refusals to connect carry no state, only words.
_REFUSALS = {
    "password": _REFUSED,
    "pg_hba.conf": _REFUSED,
    "standby": _STANDBY,
    'role "': _REFUSED,
    'database "': _NO_DATABASE,
    "too many": _CAUSES["53300"],
    "connection slots": _CAUSES["53300"],
}

logger = logging.getLogger(__name__)


class PostgresDialect:
    """PostgreSQL's column types, schema version and JSON; see ``core.gallery.database.port.Dialect``."""

    growing_id = "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
    row_id = "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
    then_by_seq = ", seq"
    integer = "BIGINT"
    real = "DOUBLE PRECISION"
    text = 'TEXT COLLATE "C"'
    blob = "BYTEA"

    def schema_version(self, connection: Connection) -> int:
        """Read the table ``schema_version``."""
        if connection.execute("SELECT to_regclass('schema_version')").fetchone()[0] is None:
            return 0
        version: int = connection.execute("SELECT version FROM schema_version").fetchone()[0]
        return version

    def write_schema_version(self, connection: Connection, version: int) -> None:
        """Write the table ``schema_version``."""
        connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)")
        connection.execute("DELETE FROM schema_version")
        connection.execute("INSERT INTO schema_version VALUES (?)", (version,))

    def holds_tables(self, connection: Connection) -> bool:
        """Look into the schema's list."""
        rows = connection.execute("SELECT EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = current_schema())")
        return bool(rows.fetchone()[0])

    def texts_within(self, column: str) -> str:
        """Use a path of JSON; as in a column of text, order and case do not depend on the server's locale."""
        return f"""
            SELECT (part #>> '{{}}') COLLATE "C" AS value
            FROM jsonb_path_query({column}::jsonb, '$.**') AS parts (part) WHERE jsonb_typeof(part) = 'string'
        """


class PostgresDatabase:
    """One schema of a PostgreSQL database; a commit that returned is on the server's disk.

    Writers of all processes take turns by an advisory lock. A process has at most ``_MOST_READING`` connections for
    reading, which are checked before use and closed when they have been idle for ten minutes, and one for writing.
    """

    dialect = PostgresDialect()

    def __init__(self, url: str, *, schema: str, read_only: bool, lock_timeout_s: float) -> None:
        """Check the URL; connections are opened when they are first needed.

        Args:
            url: ``postgresql://USER:PASSWORD@HOST:PORT/DATABASE``; several hosts stand with commas, and the primary
                among them is used.
            schema: where the tables are; a writer creates it.
            read_only: open it without the right to change anything.
            lock_timeout_s: how long to wait for another writer, and for the server to answer.

        Raises:
            InvalidRequest: it is not such a URL.
        """
        self._parameters = _parse(url)
        self.place = _place(self._parameters)
        self.read_only = read_only
        self._schema = schema
        self._lock_timeout_s = lock_timeout_s
        self._pool = ConnectionPool(
            kwargs=self._connection_parameters(for_writing=False),
            min_size=0,
            max_size=_MOST_READING,
            open=False,
            check=ConnectionPool.check_connection,
            reconnect_timeout=_CONNECTING_S,
            num_workers=1,
        )
        self._writer: psycopg.Connection[tuple[Any, ...]] | None = None
        self._writer_lock = Lock()
        self._closed = False

    def exists(self) -> bool:
        """Whether a writer has made the tables."""
        with self.reading() as connection:
            return self.dialect.schema_version(connection) > 0

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Lend a connection for reading; each statement sees the newest commit, those after BEGIN one snapshot."""
        with translating_failures(self.place):
            connection = self._borrow()
            try:
                yield _Running(connection)
            finally:
                if connection.info.transaction_status != TransactionStatus.IDLE:
                    _roll_back(connection)
                self._pool.putconn(connection)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Lend the writing connection inside a transaction that holds the gallery's write lock.

        The caller commits with ``connection.execute("COMMIT")``; leaving without it undoes everything.
        """
        if self.read_only:
            raise GalleryUnavailable(f"the gallery in {self.place} was opened read-only; it cannot be changed")
        with taking_turn(self._writer_lock, self._lock_timeout_s, self.place), translating_failures(self.place):
            self._refuse_closed()
            writer = self._begin()
            try:
                yield _Running(writer)
            finally:
                if writer.info.transaction_status != TransactionStatus.IDLE:
                    _roll_back(writer)

    def close(self) -> None:
        """Close every connection, after the running write, if any, has ended. Closing twice is fine."""
        with self._writer_lock:
            self._closed = True
            self._pool.close()
            if self._writer is not None:
                self._writer.close()
                self._writer = None

    def _borrow(self) -> psycopg.Connection[tuple[Any, ...]]:
        """Take a connection for reading from the pool, and say why where there is none."""
        deadline = monotonic() + self._lock_timeout_s
        while True:
            self._refuse_closed()
            self._pool.open()
            try:
                return self._pool.getconn(timeout=_CONNECTING_S)
            except PoolTimeout:
                # The pool connects in the background, and keeps the reason of a failure to itself.
                self._connect(for_writing=False).close()
                if monotonic() > deadline:
                    raise GalleryUnavailable(
                        f"all {_MOST_READING} connections to {self.place} are in use; try again later"
                    ) from None

    def _connect(self, *, for_writing: bool) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(**self._connection_parameters(for_writing=for_writing))

    def _connection_parameters(self, *, for_writing: bool) -> dict[str, Any]:
        settings = {
            "search_path": self._schema,
            "lock_timeout": round(self._lock_timeout_s * 1000),
            "tcp_keepalives_idle": 30,
            "tcp_keepalives_interval": 10,
            "tcp_keepalives_count": 3,
            "idle_in_transaction_session_timeout": _NOTICED_AFTER_S * 1000,
            # Rows by collection are a fraction of each table; by the defaults, for disks that turn, all of it is read.
            "random_page_cost": 1.1,
            "jit": "off",
            "default_transaction_isolation": "read committed" if for_writing else "repeatable read",
            "default_transaction_read_only": "off" if for_writing else "on",
        }
        own = [f"-c {name}={str(value).replace(' ', chr(92) + ' ')}" for name, value in settings.items()]
        return {
            "connect_timeout": max(2, round(self._lock_timeout_s)),
            "keepalives_idle": 30,
            "tcp_user_timeout": 30_000,
            # What a standby does not know yet would be missing, and what it has not forgotten yet would be found.
            "target_session_attrs": "primary",
            "application_name": "semantic-image-matcher",
            **self._parameters,
            "options": " ".join([str(self._parameters.get("options", "")), *own]).strip(),
            "autocommit": True,  # transactions begin and end where the code says so
        }

    def _begin(self) -> psycopg.Connection[tuple[Any, ...]]:
        """Begin the writing transaction, on a new connection if there is none or it is broken."""
        if self._writer is not None:
            try:
                self._take_turn(self._writer)
            except psycopg.OperationalError:
                if not self._writer.closed:
                    raise
            else:
                return self._writer
        self._writer = self._open_writer()
        self._take_turn(self._writer)
        return self._writer

    def _take_turn(self, writer: psycopg.Connection[tuple[Any, ...]]) -> None:
        """Begin a transaction and wait for the lock; on a timeout, roll the failed transaction back."""
        begin = f"BEGIN; SELECT pg_advisory_xact_lock({_lock_key(self._schema)})".encode()
        try:
            writer.execute(begin, prepare=False)
        except BaseException:
            if not writer.closed:
                _roll_back(writer)
            raise

    def _open_writer(self) -> psycopg.Connection[tuple[Any, ...]]:
        writer = self._connect(for_writing=True)
        try:
            row = writer.execute(
                "SELECT current_setting('synchronous_commit'), current_setting('fsync'), to_regnamespace(%s) IS NULL",
                (self._schema,),
            ).fetchone()
            commits, syncs, is_blank = row or ("on", "on", True)
            if commits == "off":  # other values promise as much as ``on`` or more
                writer.execute("SET synchronous_commit = on")
            if syncs == "off":
                logger.warning("the server of %s runs with fsync = off; a power cut may damage the gallery", self.place)
            if is_blank:
                lock = f"SELECT pg_advisory_xact_lock({_lock_key(self._schema)})"
                writer.execute(f"BEGIN; {lock}; CREATE SCHEMA IF NOT EXISTS {self._schema}; COMMIT".encode())
        except BaseException:
            writer.close()
            raise
        return writer

    def _refuse_closed(self) -> None:
        if self._closed:
            raise GalleryUnavailable(f"the gallery in {self.place} has been closed")


class _Running:
    """Runs the gallery's SQL on one connection of psycopg."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        self._connection = connection

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Rows:
        """Run one statement; what is asked for in bytes comes in bytes, not in twice as many hex digits."""
        statement = sql.replace("%", "%%").replace("?", "%s").encode()
        try:
            return self._connection.execute(statement, tuple(values), binary=True)
        except (psycopg.DataError, UnicodeEncodeError) as exc:
            if getattr(exc, "sqlstate", None) is None:  # found by the driver, in the values
                raise InvalidRequest("a value holds NUL or other characters that are no Unicode text") from exc
            raise


@contextmanager
def translating_failures(place: str) -> Iterator[None]:
    """Turn what PostgreSQL and the file system raise into ``GalleryUnavailable`` with the cause and what to do."""
    try:
        yield
    except psycopg.Error as exc:
        raise GalleryUnavailable(f"the gallery's database {place} cannot be used: {_advice(exc)}") from exc
    except OSError as exc:
        reason = exc.strerror or type(exc).__name__
        raise GalleryUnavailable(f"the gallery's files cannot be used: {reason} ({exc.filename})") from exc


def _advice(exc: psycopg.Error) -> str:
    state = exc.sqlstate
    if state is None and isinstance(exc, psycopg.OperationalError):
        message = str(exc).strip()
        advice = next((advice for words, advice in _REFUSALS.items() if words in message), None)
        return advice or f"{_AWAY} ({' '.join(message.split())[:300]})"
    prefixes = [str(state)[:length] for length in (5, 3, 2)]
    advice = next((_CAUSES[prefix] for prefix in prefixes if prefix in _CAUSES), None)
    return advice or f"it failed: {exc.diag.message_primary or type(exc).__name__} ({state})"


def _roll_back(connection: psycopg.Connection[tuple[Any, ...]]) -> None:
    try:
        connection.execute("ROLLBACK")
    except psycopg.Error:
        connection.close()  # the server undoes what was not committed


def _lock_key(schema: str) -> int:
    return int.from_bytes(hashlib.sha256(f"semantic-image-matcher/{schema}".encode()).digest()[:8], signed=True)


def _parse(url: str) -> dict[str, Any]:
    try:
        if not url.startswith(("postgresql://", "postgres://")):
            raise psycopg.ProgrammingError
        parameters = conninfo_to_dict(url)
        if not parameters.get("dbname"):
            raise psycopg.ProgrammingError
    except psycopg.ProgrammingError:
        # Without the text and without its parser's complaint: either may show the password.
        raise InvalidRequest("invalid database URL; give postgresql://USER:PASSWORD@HOST:5432/DATABASE") from None
    return parameters


def _place(parameters: dict[str, Any]) -> str:
    host, port = parameters.get("host") or "localhost", parameters.get("port")
    return f"postgresql://{host}{f':{port}' if port else ''}/{parameters['dbname']}"
