"""The rows of single images. Methods run on the caller's connection; changes belong to its transaction."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from core.errors import UnknownImage
from core.gallery.database.pages import (
    check_limit,
    contains,
    like_pattern,
    outside_trash,
    read_cursor,
    write_cursor,
)
from core.gallery.database.places import COLUMNS, to_place
from core.gallery.database.port import Connection, placeholders
from core.gallery.deletions import is_trash
from core.gallery.photos.port import PhotoStore
from core.gallery.validation import printable
from core.gallery.values import ImagePage, NewImage
from core.results import GalleryImage

_SELECT = f"""
    SELECT images.seq, images.image_id, images.collection, images.filename, images.content_hash, images.media_type,
           images.width, images.height, images.byte_size, images.added_at,
           {COLUMNS}
    FROM images JOIN places ON places.id = images.place
"""


class ImageRows:
    """Reads and writes the table of images."""

    def __init__(self, files: PhotoStore) -> None:
        """Take the photo store, which knows the path of an image's original."""
        self._files = files

    def by_id(self, connection: Connection, image_id: str) -> GalleryImage:
        """Read one image.

        Raises:
            UnknownImage: there is none of that id.
        """
        row = connection.execute(f"{_SELECT} WHERE images.image_id = ?", (image_id,)).fetchone()
        if row is None or is_trash(row[2]):
            raise UnknownImage(
                f"no image of id {image_id[:100]!r} in the gallery; GET /index/images lists those that are"
            )
        return self._to_image(row)

    def by_content(self, connection: Connection, collection: str, content_hash: str) -> GalleryImage | None:
        """Read the image of a collection that holds these bytes."""
        row = connection.execute(
            f"{_SELECT} WHERE images.content_hash = ? AND images.collection = ?", (content_hash, collection)
        ).fetchone()
        return self._to_image(row) if row else None

    def by_seqs(self, connection: Connection, seqs: Sequence[int]) -> dict[int, GalleryImage]:
        """Read several images at once; those that do not exist are left out."""
        if not seqs:
            return {}
        rows = connection.execute(f"{_SELECT} WHERE images.seq IN {placeholders(len(seqs))}", tuple(seqs))
        return {row[0]: self._to_image(row) for row in rows}

    def page(
        self,
        connection: Connection,
        collection: str | None,
        place_id: str | None,
        text: str | None,
        cursor: str | None,
        limit: int,
    ) -> ImagePage:
        """Read a page; see ``Gallery.list_images``."""
        conditions, values = [outside_trash("images.collection")], list[str | int]()
        if collection is not None:
            conditions = ["images.collection = ?"]
            values.append(collection)
        if place_id is not None:
            conditions.append("places.place_id = ?")
            values.append(place_id)
        if text:
            conditions.append(f"({contains('images.filename')} OR {contains('places.name')})")
            values += [like_pattern(text)] * 2
        where = " AND ".join(conditions)
        joined = "images JOIN places ON places.id = images.place" if place_id is not None or text else "images"
        total = connection.execute(f"SELECT count(*) FROM {joined} WHERE {where}", values).fetchone()[0]
        after = read_cursor(cursor, int)[0] if cursor is not None else 0
        rows = connection.execute(
            f"{_SELECT} WHERE {where} AND images.seq > ? ORDER BY images.seq LIMIT ?",
            (*values, after, check_limit(limit) + 1),
        ).fetchall()
        more = len(rows) > limit
        images = tuple(self._to_image(row) for row in rows[:limit])
        return ImagePage(images, total, write_cursor(rows[limit - 1][0]) if more else None)

    def insert(self, connection: Connection, new: NewImage, image_id: str, content_hash: str, place_row: int) -> int:
        """Write one image and return its seq."""
        added_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        rows = connection.execute(
            """
            INSERT INTO images (image_id, collection, place, content_hash, filename, media_type, width, height,
                                byte_size, added_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            RETURNING seq
            """,
            (
                image_id,
                new.collection,
                place_row,
                content_hash,
                printable(new.filename),
                new.media_type,
                new.width,
                new.height,
                len(new.data),
                added_at,
            ),
        ).fetchall()  # all, for a RETURNING statement left open would block the commit
        seq: int = rows[0][0]
        return seq

    def ids_of_place(self, connection: Connection, place_row: int) -> list[str]:
        """List the images that show a place."""
        rows = connection.execute("SELECT image_id FROM images WHERE place = ?", (place_row,))
        return [row[0] for row in rows.fetchall()]

    def move(self, connection: Connection, image_id: str, place_row: int) -> None:
        """Let an image show another place."""
        connection.execute("UPDATE images SET place = ? WHERE image_id = ?", (place_row, image_id))

    def seq_of(self, connection: Connection, image_id: str) -> int:
        """Return the seq of an existing image."""
        seq: int = connection.execute("SELECT seq FROM images WHERE image_id = ?", (image_id,)).fetchone()[0]
        return seq

    def delete(self, connection: Connection, image_id: str) -> int:
        """Delete one image with its embedding and features; return the seq it had."""
        seq = self.seq_of(connection, image_id)
        connection.execute("DELETE FROM images WHERE seq = ?", (seq,))
        return seq

    def _to_image(self, row: Sequence[Any]) -> GalleryImage:
        (_, image_id, collection, filename, content_hash, media_type, width, height, byte_size, added_at) = row[:10]
        return GalleryImage(
            image_id=image_id,
            collection=collection,
            place=to_place(row[10:]),
            filename=filename,
            content_hash=content_hash,
            media_type=media_type,
            width=width,
            height=height,
            byte_size=byte_size,
            added_at=added_at,
            path=self._files.original_path(content_hash, media_type),
        )


def count_by_collection(connection: Connection) -> dict[str, int]:
    """Count the images of each collection, without those in the trash."""
    rows = connection.execute("SELECT collection, count(*) FROM images GROUP BY collection").fetchall()
    return {collection: count for collection, count in rows if not is_trash(collection)}


def is_free(connection: Connection, image_id: str) -> bool:
    """Say whether no image has this id, in the trash either."""
    return connection.execute("SELECT 1 FROM images WHERE image_id = ?", (image_id,)).fetchone() is None


def has_images(connection: Connection, collection: str) -> bool:
    """Say whether a collection holds any image."""
    return connection.execute("SELECT 1 FROM images WHERE collection = ? LIMIT 1", (collection,)).fetchone() is not None


def used_contents(connection: Connection, content_hashes: Collection[str]) -> set[str]:
    """Say which of these bytes, of one photo or more, any collection holds, or the trash."""
    rows = connection.execute(
        f"SELECT content_hash FROM images WHERE content_hash IN {placeholders(len(content_hashes))}",
        tuple(content_hashes),
    )
    return {row[0] for row in rows}


def contents_of(connection: Connection, collection: str) -> list[tuple[str, str, str]]:
    """Image id, content hash and media type of all images of a collection, in no order."""
    rows = connection.execute(
        "SELECT image_id, content_hash, media_type FROM images WHERE collection = ?", (collection,)
    )
    return [(row[0], row[1], row[2]) for row in rows]


def newest_contents(connection: Connection, limit: int) -> list[tuple[str, str]]:
    """Content hash and media type of the images added last."""
    rows = connection.execute("SELECT content_hash, media_type FROM images ORDER BY seq DESC LIMIT ?", (limit,))
    return [(row[0], row[1]) for row in rows]


def uses_content(connection: Connection, content_hash: str) -> bool:
    """Say whether any collection holds these bytes, or the trash."""
    row = connection.execute("SELECT 1 FROM images WHERE content_hash = ? LIMIT 1", (content_hash,)).fetchone()
    return row is not None
