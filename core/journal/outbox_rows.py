"""The tables of events for webhooks, version 4 of the database.

outbox.id     of the event, the same at every attempt
outbox.body   the event in JSON
outbox.at     when it happened, seconds since 1970 UTC
outbox.tries  attempts so far
outbox.due    time of the next attempt
noted.name    of what was compared, such as ``health default``
noted.value   what it was the last time
"""

from core.gallery.database.port import Connection, Dialect


def m004_outbox(connection: Connection, dialect: Dialect) -> None:
    """Create both tables."""
    for statement in (
        f"""
        CREATE TABLE outbox (
            id {dialect.text} PRIMARY KEY,
            body {dialect.text} NOT NULL,
            at {dialect.real} NOT NULL,
            tries {dialect.integer} NOT NULL,
            due {dialect.real} NOT NULL
        )
        """,
        "CREATE INDEX outbox_by_due ON outbox (due)",
        f"CREATE TABLE noted (name {dialect.text} PRIMARY KEY, value {dialect.text} NOT NULL)",
    ):
        connection.execute(statement)
