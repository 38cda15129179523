"""The table of background jobs, version 2 of the database.

jobs.name         of what is worked on, such as ``calibration default``
jobs.holder       the owner, one name for each run of a job
jobs.body         its progress or result, in the owner's own form
jobs.at           time of the latest heartbeat, seconds since 1970 UTC
jobs.is_running   0 once it has ended
jobs.is_unwanted  1 once it was cancelled
"""

from core.gallery.database.port import Connection, Dialect


def m002_jobs(connection: Connection, dialect: Dialect) -> None:
    """Create the table: one job per name."""
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
