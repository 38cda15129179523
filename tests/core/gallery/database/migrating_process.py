"""Run by the tests as a process of its own: begins to migrate a gallery, says "midway" and waits to be killed.

python migrating_process.py DATABASE
"""

import sqlite3
import sys
from pathlib import Path

from core.gallery.database.migrations import MIGRATIONS, apply_migrations
from core.gallery.database.sqlite import SqliteDatabase


def main(path: str) -> None:
    """Apply the migrations of a future program, of which the second never ends."""
    database = SqliteDatabase(Path(path), read_only=False, lock_timeout_s=10)
    with database.writing() as connection:
        apply_migrations(connection, database.dialect, (*MIGRATIONS, _whole, _half))


def _whole(connection: sqlite3.Connection, _dialect: object) -> None:
    connection.execute("CREATE TABLE future (id INTEGER PRIMARY KEY, contents BLOB)")
    # More than SQLite keeps in memory: the file's WAL holds a part of it by now.
    connection.execute("PRAGMA cache_size = 10")
    connection.executemany("INSERT INTO future (contents) VALUES (zeroblob(?))", [(100_000,)] * 50)


def _half(connection: sqlite3.Connection, _dialect: object) -> None:
    connection.execute("UPDATE images SET filename = 'half'")
    sys.stdout.write("midway\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
