"""Writers who wait for each other share a commit, and nothing else."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from core.errors import GalleryUnavailable, InvalidRequest
from core.gallery.database.group_commit import GroupCommit
from core.results import Place


class Disk:
    """Commits numbers; the first commit lasts until so many other calls wait."""

    def __init__(self, waiting: int) -> None:
        self.group = GroupCommit[int, str](self.commit)
        self.commits = list[list[int]]()
        self._waiting = waiting
        self._begun = Event()

    def commit(self, items):
        """Store numbers; negative ones are not acceptable, 13 breaks the disk."""
        if not self._begun.is_set():
            self._begun.set()
            while len(self.group._waiting) < self._waiting:
                Event().wait(0.001)
        if any(item < 0 for item in items):
            raise InvalidRequest("negative")
        if 13 in items:
            raise GalleryUnavailable("the disk is full")
        self.commits.append(list(items))
        return [f"stored {item}" for item in items]

    def submit_all(self, first, *others):
        """Submit one call, and others while it is being committed; return their futures."""
        with ThreadPoolExecutor(1 + len(others)) as pool:
            calls = [pool.submit(self.group.submit, first)]
            self._begun.wait()
            return calls + [pool.submit(self.group.submit, items) for items in others]


def test_calls_that_wait_share_a_commit():
    """What arrives during a commit is committed together afterwards; each caller gets its own results."""
    disk = Disk(waiting=3)

    calls = disk.submit_all([1], [2, 3], [], [4])

    assert [call.result() for call in calls] == [["stored 1"], ["stored 2", "stored 3"], [], ["stored 4"]]
    assert disk.commits[0] == [1]
    assert sorted(disk.commits[1]) == [2, 3, 4]
    assert len(disk.commits) == 2


def test_an_unacceptable_item_fails_its_own_call_only():
    """Others of the same group are committed; the call with the bad item is not, not even its good items."""
    disk = Disk(waiting=3)

    _, good, bad, other = disk.submit_all([1], [2], [3, -1], [4])

    assert good.result() == ["stored 2"]
    assert other.result() == ["stored 4"]
    with pytest.raises(InvalidRequest, match="negative"):
        bad.result()
    assert sorted(number for commit in disk.commits for number in commit) == [1, 2, 4]


def test_a_broken_disk_is_told_to_all_and_waited_for_once():
    """When the disk fails, every call of the group is refused, and the next one tries again."""
    disk = Disk(waiting=2)

    _, one, other = disk.submit_all([1], [2], [13])

    for call in (one, other):
        with pytest.raises(GalleryUnavailable, match="disk is full"):
            call.result()
    assert disk.commits == [[1]]
    assert disk.group.submit([5]) == ["stored 5"]


def test_many_writers_on_one_gallery(gallery, new_image):
    """Of adds from many threads every acceptable one is stored and found, with fewer commits than adds."""
    bad = Place("bad", "Bad", latitude=1000.0)
    images = [new_image(seed, place=bad if seed % 10 == 3 else None) for seed in range(40)]

    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(gallery.add, [image]) for image in images]

    for seed, call in enumerate(calls):
        if seed % 10 == 3:
            with pytest.raises(InvalidRequest, match="latitude"):
                call.result()
        else:
            found = gallery.search(images[seed].embedding)[0].image
            assert [result.image for result in call.result()] == [found]
            assert gallery.original_path(found.image_id).read_bytes() == images[seed].data
    assert gallery.count() == 36
    assert gallery.generation < 36
