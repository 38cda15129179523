"""The trash: deletions that can be undone. Functions run on the caller's connection, in its transaction.

A deletion moves its images to a collection of its own, whose name no caller can give and no reader shows. So they keep
photos, vectors and features, a backup holds them, a sweep spares them, and another encoder embeds them as well; only
what asks by collection finds them no more. A whole collection just gets that name. Single images are written again
there, under another seq, because whoever follows the changes knows only of whole collections that get another name.
"""

import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import UnknownDeletion
from core.gallery.database.brandings import move_branding
from core.gallery.database.calibrations import rename_calibration
from core.gallery.database.collections import delete_collection, hand_over_former_names
from core.gallery.database.images import has_images
from core.gallery.database.pages import check_limit, read_cursor, write_cursor
from core.gallery.database.places import COLUMNS, drop_place_without_images, merge_place, to_place
from core.gallery.database.port import Connection
from core.gallery.deletions import Deletion, DeletionPage, trash_collection
from core.results import Place, Recording

_TRASH_OF_DELETION = f"'{trash_collection('')}' || deletions.deletion_id"
_IMAGES = f"SELECT 1 FROM images WHERE images.collection = {_TRASH_OF_DELETION}"
_SELECT = f"""
    SELECT deletion_id, kind, collection, name, place_id, (SELECT count(*) FROM ({_IMAGES}) AS kept), deleted_at
    FROM deletions
"""
_KEPT = "image_id, content_hash, filename, media_type, width, height, byte_size, added_at"


def record(connection: Connection, deletion: Deletion) -> None:
    """Write a deletion down; of a whole collection also when it was created, and it is created no more."""
    created_at = None
    if deletion.kind == "collection":
        row = connection.execute("SELECT created_at FROM collections WHERE name = ?", (deletion.collection,)).fetchone()
        created_at = row[0] if row else None
        connection.execute("DELETE FROM collections WHERE name = ?", (deletion.collection,))
    connection.execute(
        "INSERT INTO deletions VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            deletion.deletion_id,
            deletion.kind,
            deletion.collection,
            deletion.name,
            deletion.place_id,
            deletion.deleted_at,
            created_at,
        ),
    )


def find(connection: Connection, deletion_id: str) -> Deletion:
    """Read one deletion.

    Raises:
        UnknownDeletion: the trash holds none of that id.
    """
    row = connection.execute(f"{_SELECT} WHERE deletion_id = ?", (deletion_id,)).fetchone()
    if row is None:
        raise UnknownDeletion(f"nothing of id {deletion_id[:100]!r} is in the trash; GET /trash lists what is")
    return _to_deletion(row)


def page(connection: Connection, collections: Sequence[str] | None, cursor: str | None, limit: int) -> DeletionPage:
    """Read a page of deletions that have anything to give back, newest first."""
    where, values = f"(kind = 'collection' OR EXISTS ({_IMAGES}))", list[Any]()
    if collections is not None:
        wanted = " OR ".join(["FALSE", *("collection = ?" for _ in collections)])
        where, values = f"{where} AND ({wanted})", list(collections)
    total = connection.execute(f"SELECT count(*) FROM deletions WHERE {where}", values).fetchone()[0]
    if cursor is not None:
        where += " AND (deleted_at, deletion_id) < (?, ?)"
        values += read_cursor(cursor, float, str)
    rows = connection.execute(
        f"{_SELECT} WHERE {where} ORDER BY deleted_at DESC, deletion_id DESC LIMIT ?", (*values, check_limit(limit) + 1)
    ).fetchall()
    more = len(rows) > limit
    deletions = tuple(_to_deletion(row) for row in rows[:limit])
    last = deletions[-1] if more else None
    return DeletionPage(deletions, total, write_cursor(last.deleted_at, last.deletion_id) if last else None)


def ids(connection: Connection, collection: str | None, place_id: str | None, before: float | None) -> list[str]:
    """List deletions, oldest first: of a collection, of a place or its images, or made before a moment."""
    conditions, values = ["TRUE"], list[Any]()
    if collection is not None:
        conditions.append("collection = ?")
        values.append(collection)
    if place_id is not None:
        conditions.append("kind <> 'collection' AND place_id = ?")
        values.append(place_id)
    if before is not None:
        conditions.append("deleted_at <= ?")
        values.append(before)
    rows = connection.execute(
        f"SELECT deletion_id FROM deletions WHERE {' AND '.join(conditions)} ORDER BY deleted_at", values
    )
    return [row[0] for row in rows.fetchall()]


def give_back(connection: Connection, deletion: Deletion) -> None:
    """Let a collection have its branding back, and its calibration if it holds no image yet."""
    hidden = trash_collection(deletion.deletion_id)
    if not has_images(connection, deletion.collection):
        rename_calibration(connection, hidden, deletion.collection)
    move_branding(connection, hidden, deletion.collection)


def hand_over(connection: Connection, deletion: Deletion) -> None:
    """Give back what else belongs to the collection of a deletion whose images are back."""
    hidden = trash_collection(deletion.deletion_id)
    _create_again(connection, deletion)
    hand_over_former_names(connection, hidden, deletion.collection)
    delete_collection(connection, hidden)


def forget(connection: Connection, deletion_id: str) -> None:
    """Delete the record of a deletion whose images are gone, or back."""
    connection.execute("DELETE FROM deletions WHERE deletion_id = ?", (deletion_id,))


def _create_again(connection: Connection, deletion: Deletion) -> None:
    """Create a collection that had been created before it was deleted, unless there is one by now."""
    connection.execute(
        "INSERT INTO collections SELECT collection, collection_created_at FROM deletions "
        "WHERE deletion_id = ? AND collection_created_at IS NOT NULL ON CONFLICT (name) DO NOTHING",
        (deletion.deletion_id,),
    )


def rename_collection(connection: Connection, name: str, new_name: str) -> None:
    """Let single photos and places go back to the new name; a whole collection that was deleted keeps its own."""
    connection.execute(
        "UPDATE deletions SET collection = ? WHERE collection = ? AND kind <> 'collection'", (new_name, name)
    )


def take(
    connection: Connection, collection: str, content_hash: str
) -> tuple[str | None, Place | None, list[int], list[Recording]]:
    """Take a photo out of the trash by its bytes, because the same photo comes back by another way.

    A deletion without another photo gives back the rest and is listed no more, unless it is one of a collection, which
    had more than photos.

    Returns:
        Its image id and the place that it showed, both None where the trash holds no such photo of ``collection``; the
        seqs that are gone; and the recordings of places that are gone.
    """
    rows = connection.execute(
        f"""
        SELECT images.seq, images.image_id, places.id, deletions.deletion_id, {COLUMNS}
        FROM images JOIN deletions ON images.collection = {_TRASH_OF_DELETION} JOIN places ON places.id = images.place
        WHERE images.content_hash = ? AND deletions.collection = ?
        ORDER BY deletions.deleted_at DESC
        """,
        (content_hash, collection),
    ).fetchall()
    recordings = list[Recording]()
    for seq, _, place, *_ in rows:
        connection.execute("DELETE FROM images WHERE seq = ?", (seq,))
        recordings += drop_place_without_images(connection, place)
    for deletion in [find(connection, row[3]) for row in rows]:
        if deletion.kind != "collection" and not deletion.images:
            give_back(connection, deletion)
            hand_over(connection, deletion)
    if not rows:
        return None, None, [], []
    return rows[0][1], to_place(rows[0][4:]), [row[0] for row in rows], recordings


def copies_of_place(
    connection: Connection, collection: str, place_id: str, *, with_collections: bool = True
) -> list[int]:
    """The rows in the trash of a place of a collection, by id: with those of its photos that were deleted.

    Args:
        connection: the caller's.
        collection: that has the place.
        place_id: of the place.
        with_collections: also that of a whole collection that was deleted and had the same name.
    """
    kind = "" if with_collections else "AND deletions.kind <> 'collection'"
    rows = connection.execute(
        f"""
        SELECT places.id FROM places JOIN deletions ON places.collection = {_TRASH_OF_DELETION}
        WHERE deletions.collection = ? AND places.place_id IN (?, ?) {kind}
        """,
        (collection, *(unicodedata.normalize(form, place_id) for form in ("NFC", "NFD"))),
    )
    return [row[0] for row in rows.fetchall()]


def seqs_of_place(connection: Connection, place_row: int) -> list[int]:
    """All images that show a place, by seq."""
    rows = connection.execute("SELECT seq FROM images WHERE place = ? ORDER BY seq", (place_row,))
    return [row[0] for row in rows.fetchall()]


def seqs_in(connection: Connection, collection: str, limit: int) -> list[int]:
    """The oldest images of a collection, by seq."""
    rows = connection.execute("SELECT seq FROM images WHERE collection = ? ORDER BY seq LIMIT ?", (collection, limit))
    return [row[0] for row in rows.fetchall()]


def move(
    connection: Connection, seqs: Sequence[int], collection: str
) -> tuple[NDArray[np.int64], NDArray[np.float32], list[Recording]]:
    """Write images with their places again in another collection; one that is there already is deleted instead.

    What was hidden is not shown because a place of the same id is there: that one is hidden then.

    Returns:
        What was written: the new seqs, int64 [N], and their embeddings, float32 [N, D]; and the recordings of the
        places that are gone here, which may be unused now.
    """
    added: list[tuple[int, bytes]] = []
    recordings = list[Recording]()
    for seq in seqs:
        kept = connection.execute(f"SELECT {_KEPT}, place FROM images WHERE seq = ?", (seq,)).fetchone()
        vector = connection.execute("SELECT vector FROM embeddings WHERE seq = ?", (seq,)).fetchone()[0]
        features = connection.execute("SELECT packed FROM local_features WHERE seq = ?", (seq,)).fetchone()
        *image, place = kept
        described = connection.execute(f"SELECT {COLUMNS} FROM places WHERE id = ?", (place,)).fetchone()
        connection.execute("DELETE FROM images WHERE seq = ?", (seq,))
        recordings += drop_place_without_images(connection, place)
        if connection.execute(
            "SELECT 1 FROM images WHERE content_hash = ? AND collection = ?", (image[1], collection)
        ).fetchone():
            continue
        shown = to_place(described)
        row = merge_place(connection, collection, shown)
        if shown.is_hidden:
            connection.execute("UPDATE places SET is_hidden = 1 WHERE id = ?", (row,))
        written: int = connection.execute(
            f"INSERT INTO images (collection, place, {_KEPT}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING seq",
            (collection, row, *image),
        ).fetchall()[0][0]
        connection.execute("INSERT INTO embeddings VALUES (?, ?)", (written, vector))
        if features is not None:
            connection.execute("INSERT INTO local_features VALUES (?, ?)", (written, features[0]))
        added.append((written, vector))
    vectors = np.frombuffer(b"".join(vector for _, vector in added), "<f4").reshape(len(added), -1 if added else 0)
    return np.array([seq for seq, _ in added], np.int64), vectors.astype(np.float32), recordings


def _to_deletion(row: Sequence[Any]) -> Deletion:
    return Deletion(*row)
