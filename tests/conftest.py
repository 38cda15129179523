"""Servers that several test folders talk to, each started once, when it is first asked for; and what is kept on one."""

from collections.abc import Iterator

import pytest
from servers.bucket import BucketServer
from servers.milvus import MilvusServer
from servers.postgres import PostgresServer

from core.gallery import Storage


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A real PostgreSQL server; each test makes a database of its own on it."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def bucket_server() -> Iterator[BucketServer]:
    """A real S3 server with one bucket; each test empties it first."""
    with BucketServer() as server:
        yield server


@pytest.fixture(scope="session")
def milvus() -> Iterator[MilvusServer]:
    """A real Milvus server; each test folder makes collections of its own on it."""
    with MilvusServer() as server:
        yield server


@pytest.fixture
def storage(request: pytest.FixtureRequest) -> Storage:
    """Where rows are kept: SQLite, and PostgreSQL as well in tests marked ``on_both_databases``."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return Storage()
    return Storage(database_url=request.getfixturevalue("postgres").create_database())
