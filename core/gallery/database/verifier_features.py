"""The rows of features that only a verifier reads, by the content of the photo: whatever moves, they stay.

Functions run on the caller's connection and belong to its transaction.
"""

from collections.abc import Collection

from core.errors import GalleryUnavailable, InvalidRequest
from core.gallery.database.port import Connection, placeholders
from core.local_features.codec import pack, unpack
from core.results import LocalFeatures

_LACKING = """
    FROM images WHERE NOT EXISTS (
        SELECT 1 FROM verifier_features
        WHERE verifier_features.content_hash = images.content_hash AND verifier_features.extractor = ?
    )
"""


def read(connection: Connection, content_hash: str, extractor: str) -> LocalFeatures | None:
    """Read the features that an extractor made of a photo; None where there are none.

    Raises:
        GalleryUnavailable: they are damaged.
    """
    row = connection.execute(
        "SELECT packed FROM verifier_features WHERE content_hash = ? AND extractor = ?", (content_hash, extractor)
    ).fetchone()
    if row is None:
        return None
    try:
        return unpack(row[0])
    except InvalidRequest as exc:
        raise GalleryUnavailable(f"the gallery is damaged: {exc}; restore a copy") from exc


def write(connection: Connection, content_hash: str, features: LocalFeatures) -> None:
    """Write features of a photo, unless they are there already or no image holds the photo any longer."""
    connection.execute(
        "INSERT INTO verifier_features SELECT content_hash, ?, ? FROM images WHERE content_hash = ? LIMIT 1 "
        "ON CONFLICT DO NOTHING",
        (features.extractor, pack(features), content_hash),
    )


def seqs_without(connection: Connection, extractor: str, limit: int) -> list[int]:
    """Read the seqs of the newest images whose photos have no features of an extractor, one per photo."""
    rows = connection.execute(
        f"SELECT max(seq) {_LACKING} GROUP BY content_hash ORDER BY max(seq) DESC LIMIT ?", (extractor, limit)
    )
    return [row[0] for row in rows]


def count_without(connection: Connection, extractor: str) -> int:
    """Count the photos that have no features of an extractor."""
    count: int = connection.execute(f"SELECT count(DISTINCT content_hash) {_LACKING}", (extractor,)).fetchone()[0]
    return count


def delete(connection: Connection, content_hashes: Collection[str]) -> None:
    """Delete all features of these photos."""
    if content_hashes:
        connection.execute(
            f"DELETE FROM verifier_features WHERE content_hash IN {placeholders(len(content_hashes))}",
            tuple(content_hashes),
        )
