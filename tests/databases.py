"""Marks tests that hold for every database."""

import pytest

on_both_databases = pytest.mark.parametrize("storage", ["sqlite", "postgres"], indirect=True)
"""Runs a test, or all of a module, on SQLite and on a real PostgreSQL server."""
