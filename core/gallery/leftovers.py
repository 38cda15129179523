"""Photos that belong to no image: what a process that died between writing them and its commit has left.

Where one machine keeps everything, opening the gallery deletes them. Where several share it, that would keep everybody
waiting for a look at every photo; there ``scripts/sweep_photos.py`` does it when it is told to.
"""

from collections.abc import Iterable, Iterator

from core.gallery.files import hash_in
from core.gallery.image_rows import used_contents
from core.gallery.photo_store import PhotoStore
from core.gallery.sql import Database

_AT_ONCE = 5000


def sweep(database: Database, files: PhotoStore) -> int:
    """Delete what belongs to no image, while others add and delete; return how many files or objects that was."""
    swept = 0
    for names in _batches(files.names()):
        hashes = {hash_in(name) for name in names}
        with database.reading() as connection:
            suspects = hashes - used_contents(connection, hashes)
        if not suspects:
            continue
        # Whoever writes photos holds this lock until their rows are committed: what has no row now belongs to nobody.
        with database.writing() as connection:
            leftovers = suspects - used_contents(connection, suspects)
            gone = [name for name in names if hash_in(name) in leftovers]
            files.remove_names(gone)
        swept += len(gone)
    return swept


def _batches(names: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    for name in names:
        batch.append(name)
        if len(batch) == _AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch
