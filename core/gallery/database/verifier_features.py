"""The rows of features of a second extractor, by the content of the photo: whatever moves, they stay.

Functions run on the caller's connection and belong to its transaction.
"""

from collections.abc import Collection, Sequence

from core.errors import GalleryUnavailable, InvalidRequest
from core.gallery.database.port import Connection, placeholders
from core.local_features.codec import pack, unpack
from core.results import LocalFeatures


def read(connection: Connection, content_hashes: Sequence[str], extractor: str) -> dict[str, LocalFeatures]:
    """Read the features that an extractor made of one photo or more; those that have none are left out.

    Raises:
        GalleryUnavailable: they are damaged.
    """
    rows = connection.execute(
        "SELECT content_hash, packed FROM verifier_features "
        f"WHERE extractor = ? AND content_hash IN {placeholders(len(content_hashes))}",
        (extractor, *content_hashes),
    )
    try:
        return {content_hash: unpack(packed) for content_hash, packed in rows}
    except InvalidRequest as exc:
        raise GalleryUnavailable(f"the gallery is damaged: {exc}; restore a copy") from exc


def write(connection: Connection, content_hash: str, features: LocalFeatures) -> None:
    """Write features of a photo, unless they are there already or no image holds the photo any longer."""
    connection.execute(
        "INSERT INTO verifier_features SELECT content_hash, ?, ? FROM images WHERE content_hash = ? LIMIT 1 "
        "ON CONFLICT DO NOTHING",
        (features.extractor, pack(features), content_hash),
    )


def seqs_without(connection: Connection, extractor: str, after_seq: int, before_seq: int, limit: int) -> list[int]:
    """Read the seqs of the newest images between two seqs whose photos have no features of an extractor."""
    rows = connection.execute(
        """
        SELECT seq FROM images WHERE seq > ? AND seq < ? AND NOT EXISTS (
            SELECT 1 FROM verifier_features
            WHERE verifier_features.content_hash = images.content_hash AND verifier_features.extractor = ?
        ) ORDER BY seq DESC LIMIT ?
        """,
        (after_seq, before_seq, extractor, limit),
    )
    return [row[0] for row in rows]


def count(connection: Connection, extractor: str) -> tuple[int, int]:
    """Count the photos, and those of them that have features of an extractor."""
    photos: int = connection.execute("SELECT count(DISTINCT content_hash) FROM images").fetchone()[0]
    made: int = connection.execute(
        "SELECT count(*) FROM verifier_features WHERE extractor = ?", (extractor,)
    ).fetchone()[0]
    return photos, made


def delete_unused(connection: Connection) -> None:
    """Delete the features of photos that no image shows, in the trash either."""
    connection.execute(
        "DELETE FROM verifier_features WHERE NOT EXISTS "
        "(SELECT 1 FROM images WHERE images.content_hash = verifier_features.content_hash)"
    )


def delete(connection: Connection, content_hashes: Collection[str]) -> None:
    """Delete all features of these photos."""
    if content_hashes:
        connection.execute(
            f"DELETE FROM verifier_features WHERE content_hash IN {placeholders(len(content_hashes))}",
            tuple(content_hashes),
        )
