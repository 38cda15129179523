"""The database of what visitors asked, in a temporary folder or on a real PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.gallery import Storage
from core.journal import UsageDatabase


@pytest.fixture
def database(tmp_path: Path, storage: Storage) -> Iterator[UsageDatabase]:
    """Nothing was kept in it yet."""
    opened = UsageDatabase(tmp_path, storage)
    yield opened
    opened.close()
