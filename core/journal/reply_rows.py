"""The table of replies to writes, version 3 of the database.

replies.name     of the write: the hash of its caller and its key
replies.request  the hash of what was asked; another request with the same key is refused
replies.holder   the owner, one name for each time that the write is done
replies.at       time of the latest heartbeat, or of the reply, seconds since 1970 UTC
replies.status   of the reply; NULL while the write is being done
replies.body     of the reply; NULL likewise
"""

from core.gallery.database.port import Connection, Dialect


def m003_replies(connection: Connection, dialect: Dialect) -> None:
    """Create the table: one write per name."""
    connection.execute(
        f"""
        CREATE TABLE replies (
            name {dialect.text} PRIMARY KEY,
            request {dialect.text} NOT NULL,
            holder {dialect.text} NOT NULL,
            at {dialect.real} NOT NULL,
            status {dialect.integer},
            body {dialect.blob}
        )
        """
    )
