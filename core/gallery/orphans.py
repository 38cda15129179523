"""Photos that belong to no image: what a process that died between writing them and its commit has left.

Where one machine keeps everything, opening the gallery deletes them. Where several share it, that would keep everybody
waiting for a look at every photo; there ``scripts/sweep_photos.py`` does it when it is told to.

Asked of another gallery's database, all photos belong to no image. So whoever sweeps what is shared counts first.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from core.gallery.database.images import used_contents
from core.gallery.database.port import Database
from core.gallery.photos.files import hash_in
from core.gallery.photos.port import PhotoStore

_AT_ONCE = 5000
_PLAUSIBLE = 100
_PLAUSIBLE_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Leftovers:
    """Files or objects of a photo store: how many of them belong to no image, of how many."""

    count: int
    of: int

    @property
    def is_plausible(self) -> bool:
        """Whether processes that died may have left so many; otherwise these are rather another gallery's photos."""
        return self.count <= self.of / 2 and self.count <= max(_PLAUSIBLE, self.of * _PLAUSIBLE_SHARE)


def count_leftovers(database: Database, files: PhotoStore) -> Leftovers:
    """Count what ``sweep`` would delete, and more where photos are being added at this moment."""
    count, of = 0, 0
    for names, suspects in _suspects(database, files):
        count += sum(hash_in(name) in suspects for name in names)
        of += len(names)
    return Leftovers(count, of)


def sweep(database: Database, files: PhotoStore) -> int:
    """Delete what belongs to no image, while others add and delete; return how many files or objects that was."""
    swept = 0
    for names, suspects in _suspects(database, files):
        if not suspects:
            continue
        # Whoever writes photos holds this lock until their rows are committed: what has no row now belongs to nobody.
        with database.writing() as connection:
            leftovers = suspects - used_contents(connection, suspects)
            gone = [name for name in names if hash_in(name) in leftovers]
            files.remove_names(gone)
        swept += len(gone)
    return swept


def _suspects(database: Database, files: PhotoStore) -> Iterator[tuple[list[str], set[str]]]:
    """All names, some thousand at a time, and the hashes among them that no image had when they were looked up."""
    for names in _batches(files.names()):
        hashes = {hash_in(name) for name in names}
        with database.reading() as connection:
            suspects = hashes - used_contents(connection, hashes)
        yield names, suspects


def _batches(names: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    for name in names:
        batch.append(name)
        if len(batch) == _AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch
