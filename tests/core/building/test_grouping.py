"""Which photos show the same exhibit."""

import time

import pytest

from core.building.grouping import group_photos, place_id_of_name


def ids(*paths: str, grouping="auto", root: str = "") -> list[str | None]:
    return [place and place.place_id for place in group_photos(paths, grouping, root).places]


def test_an_exhibit_is_the_whole_path_below_what_holds_everything():
    """Rooms of the same number on two floors stay apart; the name is the last part."""
    paths = [f"Floor {floor}/0{room}/a.jpg" for floor in (1, 2) for room in (1, 2)]

    grouped = group_photos(paths, "auto")

    assert [place.place_id for place in grouped.places] == ["Floor 1/01", "Floor 1/02", "Floor 2/01", "Floor 2/02"]
    assert [place.name for place in grouped.places] == ["01", "02", "01", "02"]
    assert grouped.taken == "folder"


@pytest.mark.parametrize("around", ["", "museum/", "export/2026/museum/"])
def test_folders_around_everything_mean_nothing(around: str):
    """However an archive was packed, the ids are the same."""
    assert ids(f"{around}hall1/a.jpg", f"{around}hall2/b.jpg") == ["hall1", "hall2"]
    assert ids(f"{around}瓷瓶/a.jpg", f"{around}瓷瓶/detail/b.jpg", f"{around}c.jpg") == ["瓷瓶", "瓷瓶", None]


def test_spaces_around_a_folder_name_are_no_part_of_the_id():
    """The export names the place by its id, and a manifest with this id finds it."""
    assert ids("hall/vase /a.jpg", "hall/\u3000jar/b.jpg", "hall/old bell/c.jpg") == ["vase", "jar", "old bell"]


@pytest.mark.parametrize("view", ["details", "Detail", "局部", "细节", "front", "close-ups", "back side", "其他"])
def test_a_folder_of_views_belongs_to_the_exhibit_around_it(view: str):
    """Beside photos, a folder named as a view is no exhibit."""
    assert ids("hall1/a.jpg", f"hall1/{view}/b.jpg") == ["hall1", "hall1"]
    assert ids("hall1/a.jpg", f"hall1/{view}/b.jpg", "hall2/c.jpg") == ["hall1", "hall1", "hall2"]


def test_works_in_folders_named_as_views_stay_apart():
    """Without photos beside them, folders are exhibits whatever they are called."""
    paths = [f"{hall}/{view}/1.jpg" for hall in ("青铜馆", "书画馆") for view in ("正面", "侧面")]

    assert ids(*paths) == ["青铜馆/正面", "青铜馆/侧面", "书画馆/正面", "书画馆/侧面"]


@pytest.mark.parametrize(
    "names",
    [
        ["五牛图（1号）", "五牛图（2号）", "百骏图"],
        ["Mona Lisa", "The Night Watch"],
        ["smvs_painting_022", "smvs_painting_027", "smvs_painting_048"],
        ["Frontier", "Abbey", "Backgammon"],
        ["上清寺", "东山", "IMG_0001"],
        ["后母戊鼎", "四羊方尊"],
    ],
)
def test_titles_in_one_folder_are_an_exhibit_each(names: list[str]):
    """A museum's flat folder of objects."""
    grouped = group_photos([f"flat/{name}.jpg" for name in names], "auto")

    assert (set(grouped.places), grouped.taken) == ({None}, "photo")


@pytest.mark.parametrize(
    "names",
    [
        ["IMG_0012", "IMG_0013"],
        ["DSC01234", "DSC01235-HDR", "_MG_1234"],
        ["3", "4", "12"],
        ["front", "back", "left side"],
        ["正面", "侧面", "局部2"],
        ["20230501_101112", "PXL_20230501_101112123.MP", "2023-05-01 10.11.12"],
        ["微信图片_20230501101112", "mmexport1682900000000"],
        ["3f2504e0-4f89-11d3-9a0c-0305e82c3301", "0cc175b9c0f1b6a831c399e269772661"],
        ["IMG_1 (2)", "IMG_1~3", "WhatsApp Image 2023-01-01 at 10.11.12"],
        ["a", "b", "c"],
        ["vase_front", "vase_back"],
        ["青花瓷瓶正面", "青花瓷瓶侧面"],
        ["flat", "flat 2", "flat-3"],
        ["vorne", "hinten", "спереди", "정면"],
    ],
)
def test_camera_numbers_and_views_in_one_folder_are_one_exhibit(names: list[str]):
    """Photos that are not named after anything show what their folder is called."""
    assert set(ids(*[f"flat/{name}.jpg" for name in names])) == {"flat"}


def test_photos_in_no_folder_are_named_by_what_they_came_in():
    """Camera numbers right inside an archive show what the archive is called; a single photo is its own."""
    assert ids("IMG_1.jpg", "IMG_2.jpg", root="South Gate") == ["South Gate"] * 2
    assert ids("IMG_1.jpg", root="South Gate") == [None]
    assert ids("IMG_1.jpg", "IMG_2.jpg") == [None, None]


def test_what_is_wanted_goes_before_what_names_tell():
    """``photo`` and ``folder`` decide."""
    assert ids("hall1/a.jpg", "hall2/b.jpg", grouping="photo") == [None, None]
    assert ids("flat/五牛图.jpg", "flat/百骏图.jpg", grouping="folder") == ["flat", "flat"]


def test_one_photo_in_a_folder_shows_the_folder():
    """There is nothing to tell apart."""
    assert ids("Vase/五牛图.jpg") == ["Vase"]


def test_long_paths_have_short_ids():
    """An id has at most 200 characters, and the same path the same id."""
    long = "/".join(["room" * 20] * 5)
    first, _ = ids(f"{long}/x/a.jpg", "b/b.jpg")

    assert len(first) == 200
    assert first == place_id_of_name(f"{long}/x")


@pytest.mark.timeout(20)
def test_no_name_takes_long():
    """Names that nearly match are given up at once."""
    started = time.process_time()
    ids(*[f"flat/{'1' * 190}é{number}.jpg" for number in range(50)], *[f"flat/{'a_' * 90}é.jpg"] * 50)

    assert time.process_time() - started < 5
