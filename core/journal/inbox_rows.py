"""The table of photos that visitors have sent to the inbox, version 5 of the database.

inbox.match          the match that the photo was sent to; the photo is deleted with it
inbox.kept_at        when it arrived, seconds since 1970 UTC
inbox.until          when it has to be deleted by what the visitor was told; a shorter retention since then has priority
inbox.digest         SHA-256 of the photo as it is kept; a photo that arrives twice is kept once
inbox.photo          JPEG without metadata
inbox.claimed_until  while somebody decides about it, nobody else may
"""

from core.gallery.database.port import Connection, Dialect


def m005_inbox(connection: Connection, dialect: Dialect) -> None:
    """Create the table."""
    connection.execute(
        f"""
        CREATE TABLE inbox (
            number {dialect.growing_id},
            match {dialect.integer} NOT NULL REFERENCES matches (id) ON DELETE CASCADE,
            kept_at {dialect.real} NOT NULL,
            until {dialect.real} NOT NULL,
            digest {dialect.text} NOT NULL,
            bytes {dialect.integer} NOT NULL,
            photo {dialect.blob} NOT NULL,
            claimed_until {dialect.real} NOT NULL
        )
        """
    )
    connection.execute("CREATE UNIQUE INDEX inbox_by_match ON inbox (match, digest)")


def delete_surplus(connection: Connection, most_photos: int, most_bytes: int) -> None:
    """Delete the oldest photos, so that at most so many photos of at most so many bytes are left."""
    connection.execute(
        """
        DELETE FROM inbox WHERE number IN (
            SELECT number FROM (
                SELECT number, count(*) OVER newest_first AS photos, sum(bytes) OVER newest_first AS total
                FROM inbox WINDOW newest_first AS (ORDER BY number DESC)
            ) AS counted
            WHERE photos > ? OR total > ?
        )
        """,
        (most_photos, most_bytes),
    )
