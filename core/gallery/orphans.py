"""Orphaned photos and recordings: files that a process wrote before it died without committing their rows.

On a single machine, opening the gallery deletes them. Where several machines share the photos, that would delay every
start by a look at all of them; there an operator runs ``scripts/sweep_photos.py``.

With another gallery's database, all photos would be orphans. So they are counted before shared ones are deleted.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from core.errors import GalleryUnavailable
from core.gallery.audio import AUDIO_EXTENSIONS
from core.gallery.database import verifier_features
from core.gallery.database.images import used_contents
from core.gallery.database.port import Connection, Database
from core.gallery.database.recordings import read_recordings
from core.gallery.photos.files import hash_in
from core.gallery.photos.port import PhotoStore
from core.results import Recording

_AT_ONCE = 5000
_REMOVED_AT_ONCE = 200  # while others that write wait
_PLAUSIBLE = 100
_PLAUSIBLE_SHARE = 0.01
_RECORDINGS = tuple(AUDIO_EXTENSIONS.values())

logger = logging.getLogger(__name__)


def remove_unused(
    database: Database,
    files: PhotoStore,
    photos: Iterable[tuple[str, str]] = (),
    recordings: Iterable[Recording] = (),
) -> None:
    """Delete what no image and no place has, in the trash neither.

    Args:
        database: of the gallery.
        files: where its photos and recordings are.
        photos: content hashes and media types of photos that may be unused now.
        recordings: that may be unused now.
    """
    contents = [*photos, *((recording.content_hash, recording.media_type) for recording in recordings)]
    try:
        for start in range(0, len(contents), _REMOVED_AT_ONCE):
            # The write lock keeps everybody from adding the same bytes between the question and the deed.
            with database.writing() as connection:
                chunk = contents[start : start + _REMOVED_AT_ONCE]
                of_recordings = any(media_type in AUDIO_EXTENSIONS for _, media_type in chunk)
                unused = _unused(connection, {content_hash for content_hash, _ in chunk}, of_recordings=of_recordings)
                files.remove([content for content in chunk if content[0] in unused])
                verifier_features.delete(connection, unused)
                connection.execute("COMMIT")
    except GalleryUnavailable as exc:
        logger.warning("files of no image and no place stay for now: %s", exc)


@dataclass(frozen=True, slots=True)
class Leftovers:
    """How many files or objects of a photo store belong to no image and no place, of how many."""

    count: int
    of: int

    @property
    def is_plausible(self) -> bool:
        """Whether crashed processes may have left so many; otherwise they are probably another gallery's photos."""
        return self.count <= self.of / 2 and self.count <= max(_PLAUSIBLE, self.of * _PLAUSIBLE_SHARE)


def count_leftovers(database: Database, files: PhotoStore) -> Leftovers:
    """Count what ``sweep`` would delete, and more where photos are being added at this moment."""
    count, of = 0, 0
    for names, suspects in _suspects(database, files):
        count += sum(hash_in(name) in suspects for name in names)
        of += len(names)
    return Leftovers(count, of)


def sweep(database: Database, files: PhotoStore) -> int:
    """Delete what belongs to nothing, while others add and delete; return how many files or objects that was."""
    swept = 0
    for names, suspects in _suspects(database, files):
        if not suspects:
            continue
        # A process that adds photos holds this lock until it commits: a photo without a row is an orphan.
        with database.writing() as connection:
            orphans = _unused(connection, suspects, of_recordings=_have_recordings(names))
            gone = [name for name in names if hash_in(name) in orphans]
            files.remove_names(gone)
        swept += len(gone)
    with database.writing() as connection:
        verifier_features.delete_unused(connection)
        connection.execute("COMMIT")
    return swept


def _suspects(database: Database, files: PhotoStore) -> Iterator[tuple[list[str], set[str]]]:
    """All names, some thousand at a time, and the hashes among them that were of nothing when they were looked up."""
    for names in _batches(files.names()):
        hashes = {hash_in(name) for name in names}
        with database.reading() as connection:
            suspects = _unused(connection, hashes, of_recordings=_have_recordings(names))
        yield names, suspects


def _have_recordings(names: Sequence[str]) -> bool:
    return any(name.endswith(_RECORDINGS) for name in names)


def _unused(connection: Connection, hashes: set[str], *, of_recordings: bool) -> set[str]:
    """The hashes that no image has, and no place's recording if some of them are ``of_recordings``."""
    unused = hashes - used_contents(connection, hashes)
    if unused and of_recordings:
        unused -= {recording.content_hash for recording in read_recordings(connection)}
    return unused


def _batches(names: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    for name in names:
        batch.append(name)
        if len(batch) == _AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch
