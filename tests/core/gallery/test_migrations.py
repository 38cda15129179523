"""The schema from nothing to now."""

import sqlite3

import pytest

from core.errors import GalleryUnavailable
from core.gallery import DATABASE_NAME, Gallery
from core.gallery.migrations import MIGRATIONS, apply_migrations, schema_version


@pytest.fixture
def connection():
    """A blank database."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    yield connection
    connection.close()


def tables(connection) -> set[str]:
    """Names of all tables of ours."""
    rows = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return {name for (name,) in rows}


def test_blank_file_gets_everything(connection):
    """From nothing, all migrations lead to the present schema."""
    apply_migrations(connection)

    assert schema_version(connection) == len(MIGRATIONS)
    assert tables(connection) == {"manifest", "places", "images", "embeddings", "local_features"}


def test_applying_again_changes_nothing(connection):
    """A database that is up to date is left alone."""
    apply_migrations(connection)
    before = list(connection.iterdump())

    apply_migrations(connection)

    assert list(connection.iterdump()) == before


def test_migrations_are_numbered_in_order():
    """Names carry their numbers, without gaps, so that history is never reordered."""
    assert [migrate.__name__[:4] for migrate in MIGRATIONS] == [f"m{n:03}" for n in range(1, len(MIGRATIONS) + 1)]


def test_failed_migration_leaves_the_former_version(connection):
    """Schema and version change together or not at all."""
    connection.execute("BEGIN")
    apply_migrations(connection)
    connection.execute("ROLLBACK")

    assert schema_version(connection) == 0
    assert tables(connection) == set()


@pytest.mark.parametrize("read_only", [False, True])
def test_a_newer_gallery_is_refused(folder, fingerprint, read_only):
    """A gallery of a future version is refused instead of being misread."""
    Gallery.open(folder, fingerprint).close()
    connection = sqlite3.connect(folder / DATABASE_NAME)
    connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(GalleryUnavailable, match="schema version 99"):
        Gallery.open(folder, fingerprint, read_only=read_only)
