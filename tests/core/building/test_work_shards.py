"""Which photos belong to which part of a folder."""

import pytest

from core.building.labels import read_folder
from core.building.work_shards import Shard
from core.errors import InvalidRequest

PATHS = [f"place {number}/photo é {number}.jpg" for number in range(2000)]


def test_every_photo_belongs_to_one_shard():
    """The parts are disjoint, complete and about as large."""
    parts = [[path for path in PATHS if Shard(number, 5).holds(path)] for number in range(1, 6)]

    assert sorted(path for part in parts for path in part) == sorted(PATHS)
    assert all(340 < len(part) < 460 for part in parts)


def test_a_photo_stays_in_its_shard():
    """Parts built on different days or machines fit together: these were computed once and never change."""
    assert [next(n for n in range(1, 9) if Shard(n, 8).holds(path)) for path in PATHS[:8]] == [1, 3, 6, 2, 2, 1, 1, 8]


def test_names_that_are_no_text_have_a_shard_too():
    """A file name of arbitrary bytes, as Linux allows, belongs to some part."""
    assert sum(Shard(number, 3).holds("a/\udce9.jpg") for number in (1, 2, 3)) == 1


@pytest.mark.parametrize("text", ["3", "0/8", "9/8", "1/0", "-1/8", "1/8/2", "a/b", "", "1/9999999999"])
def test_what_is_no_shard_is_refused(text):
    """An impossible part is named, with what would be accepted."""
    with pytest.raises(InvalidRequest, match="shard"):
        Shard.parse(text)


def test_a_shard_is_read_as_it_is_written():
    """3/8 is the third of eight."""
    assert Shard.parse("3/8") == Shard(3, 8)
    assert str(Shard(3, 8)) == "3/8"


@pytest.mark.parametrize("manifest", [False, True])
def test_a_folder_is_read_in_parts(tmp_path, manifest):
    """Both by folders and by a manifest, the same paths lie in the same parts, in the order of the whole."""
    files = [f"p{number % 3}/{number}.jpg" for number in range(30)]
    for file in files:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    if manifest:
        (tmp_path / "manifest.csv").write_text("\n".join(["file", *sorted(files)]))

    whole = [photo.path for photo in read_folder(tmp_path, "reference")]
    parts = [[photo.path for photo in read_folder(tmp_path, "reference", Shard(n, 4))] for n in range(1, 5)]

    assert len(whole) == 30
    assert [[path for path in whole if path in part] for part in parts] == parts
    assert sorted(path for part in parts for path in part) == sorted(whole)
    assert parts == [
        [path for path in whole if Shard(n, 4).holds(path.relative_to(tmp_path).as_posix())] for n in range(1, 5)
    ]
