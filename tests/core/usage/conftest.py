"""The database of what visitors asked, in a temporary folder or on a real PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.gallery import Storage
from core.usage import UsageDatabase


@pytest.fixture
def storage(request: pytest.FixtureRequest) -> Storage:
    """SQLite, and PostgreSQL as well in tests marked ``on_both_databases``."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return Storage()
    return Storage(database_url=request.getfixturevalue("postgres").create_database())


@pytest.fixture
def database(tmp_path: Path, storage: Storage) -> Iterator[UsageDatabase]:
    """Nothing was kept in it yet."""
    opened = UsageDatabase(tmp_path, storage)
    yield opened
    opened.close()
