"""The table of work in the background, version 2 of the database.

jobs.name         of what is worked on, such as ``calibration default``
jobs.holder       names whoever works, for this one job
jobs.body         what it says of its work, the holder's own words
jobs.at           when it said so, seconds since 1970 UTC
jobs.is_running   0 from its last word on
jobs.is_unwanted  1 once somebody wants it stopped
"""

from core.gallery.database.port import Connection, Dialect


def m002_jobs(connection: Connection, dialect: Dialect) -> None:
    """Make room for one job of each name."""
    connection.execute(
        f"""
        CREATE TABLE jobs (
            name {dialect.text} PRIMARY KEY,
            holder {dialect.text} NOT NULL,
            body {dialect.text} NOT NULL,
            at {dialect.real} NOT NULL,
            is_running {dialect.integer} NOT NULL,
            is_unwanted {dialect.integer} NOT NULL
        )
        """
    )
