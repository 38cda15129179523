"""Servers that several test folders use, each started when a test first asks for it; and what is kept on one.

What a server needs is imported by its fixture. So a test that uses none runs with the extra ``cpu`` and pytest alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tiny_models import QwenFolders

if TYPE_CHECKING:
    from servers.bucket import BucketServer
    from servers.milvus import MilvusServer
    from servers.postgres import PostgresServer

    from core.gallery import Storage


# Beside other workers of pytest-xdist, networks compute in one thread: two that wait for each other spin, and on busy
# cores take many times as long.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
# The machine may be busy, and that must not decide what is answered; tests of this limit set their own.
os.environ.setdefault("GATEWAY_LONGEST_MATCH_S", "60")


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Accept the timeout in pyproject.toml without the plugin that keeps it."""
    if not pluginmanager.hasplugin("timeout"):
        parser.addini("timeout", "seconds for each test; needs pytest-timeout")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A real PostgreSQL server; each test makes a database of its own on it."""
    from servers.postgres import PostgresServer

    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def bucket_server() -> Iterator[BucketServer]:
    """A real S3 server with one bucket; each test empties it first."""
    from servers.bucket import BucketServer

    with BucketServer() as server:
        yield server


@pytest.fixture(scope="session")
def milvus() -> Iterator[MilvusServer]:
    """A real Milvus server; each test folder makes collections of its own on it."""
    from servers.milvus import MilvusServer

    with MilvusServer() as server:
        yield server


@pytest.fixture(scope="session")
def qwen_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of tiny Qwen-VLs, by generation."""
    root = tmp_path_factory.getbasetemp()
    return QwenFolders((root.parent if "PYTEST_XDIST_WORKER" in os.environ else root) / "qwen-vl")


@pytest.fixture
def storage(request: pytest.FixtureRequest) -> Storage:
    """Where rows are kept: SQLite, and PostgreSQL as well in tests marked ``on_both_databases``."""
    from core.gallery import Storage

    if getattr(request, "param", "sqlite") == "sqlite":
        return Storage()
    return Storage(database_url=request.getfixturevalue("postgres").create_database())
