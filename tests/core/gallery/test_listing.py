"""Pages of images and places, and the list of collections."""

import base64
import json

import pytest
from databases import on_both_databases

from core.errors import InvalidRequest
from core.gallery import CollectionSummary
from core.results import Place

pytestmark = on_both_databases


def all_pages(listing, entries, **arguments):
    """Follow the cursors to the end."""
    found, cursor = [], None
    while True:
        page = listing(cursor=cursor, **arguments)
        found += getattr(page, entries)
        cursor = page.next_cursor
        if cursor is None:
            return found


class TestImages:
    def test_pages_cover_everything_once(self, gallery, new_image):
        """Following the cursors visits every image once, oldest first."""
        ids = [result.image.image_id for result in gallery.add([new_image(seed) for seed in range(11)])]

        listed = all_pages(gallery.list_images, "images", limit=4)

        assert [image.image_id for image in listed] == ids
        assert gallery.list_images(limit=4).total == 11

    def test_the_last_full_page_has_no_cursor(self, gallery, new_image):
        """A page that ends exactly at the last image says that it is the last."""
        gallery.add([new_image(seed) for seed in range(4)])

        assert gallery.list_images(limit=4).next_cursor is None

    def test_changes_between_pages_shift_nothing(self, gallery, new_image):
        """Deleting what was listed and adding more neither repeats nor skips an image."""
        ids = [result.image.image_id for result in gallery.add([new_image(seed) for seed in range(6)])]
        first = gallery.list_images(limit=3)

        gallery.delete(ids[2])
        added = gallery.add([new_image(7)])[0].image.image_id

        rest = gallery.list_images(cursor=first.next_cursor, limit=10)
        assert [image.image_id for image in rest.images] == [*ids[3:], added]

    def test_filters_combine(self, gallery, new_image):
        """Collection, place and text narrow the list together, and total counts what is left."""
        red, blue = Place("r", "Red Gate"), Place("b", "Blue Hall")
        gallery.add(
            [
                new_image(1, collection="a", place=red, filename="north.jpg"),
                new_image(2, collection="a", place=blue, filename="South.jpg"),
                new_image(3, collection="b", place=red, filename="south.jpg"),
            ]
        )

        def names(**filters):
            page = gallery.list_images(**filters)
            assert page.total == len(page.images)
            return [image.filename for image in page.images]

        assert names(collection="a") == ["north.jpg", "South.jpg"]
        assert names(place_id="r") == ["north.jpg", "south.jpg"]
        assert names(text="SOUTH") == ["South.jpg", "south.jpg"]
        assert names(text="gate", collection="a") == ["north.jpg"]
        assert names(collection="none") == []

    @pytest.mark.parametrize("text", ["%", "_", "\\", "100%"])
    def test_wildcards_are_taken_literally(self, gallery, new_image, text):
        """Percent, underscore and backslash stand for themselves."""
        gallery.add([new_image(1, filename="plain.jpg"), new_image(2, filename=f"x{text}y.jpg")])

        assert [image.filename for image in gallery.list_images(text=text).images] == [f"x{text}y.jpg"]

    @pytest.mark.parametrize("cursor", ["nonsense", "", "WyJhIl0", "WzEsMl0", "bnVsbA", "é", "W3RydWVd"])
    def test_foreign_cursors_are_refused(self, gallery, cursor):
        """A cursor that is none of ours is an error, not the first page."""
        with pytest.raises(InvalidRequest, match="next_cursor"):
            gallery.list_images(cursor=cursor)

    @pytest.mark.parametrize("limit", [0, -1, 1001])
    def test_limits_are_bounded(self, gallery, limit):
        """Pages are 1 to 1000 long."""
        with pytest.raises(InvalidRequest, match="1 to 1000"):
            gallery.list_images(limit=limit)


class TestPlaces:
    def test_places_come_by_name(self, gallery, new_image):
        """Pages of places are sorted by name, equal names included, each with its images and its oldest one."""
        names = ["Gate", "Arch", "Hall", "Gate", "Bridge"]
        first = gallery.add([new_image(n, place=Place(str(n), name)) for n, name in enumerate(names)])[0].image
        gallery.add([new_image(50, place=Place("0", "Gate"))])

        listed = all_pages(gallery.places, "places", limit=2)

        assert [summary.place.name for summary in listed] == sorted(names)
        gate = next(summary for summary in listed if summary.place.place_id == "0")
        assert (gate.images, gate.first_image_id, gate.collection) == (2, first.image_id, "default")
        assert gallery.places(limit=2).total == 5

    def test_filters(self, gallery, new_image):
        """Places are narrowed by collection and by text in name or id."""
        gallery.add(
            [
                new_image(1, collection="a", place=Place("x-1", "Gate")),
                new_image(2, collection="b", place=Place("x-2", "Hall")),
            ]
        )

        def ids(**filters):
            return [summary.place.place_id for summary in gallery.places(**filters).places]

        assert ids(collection="a") == ["x-1"]
        assert ids(text="hall") == ["x-2"]
        assert ids(text="X-") == ["x-1", "x-2"]

    def test_text_is_found_in_descriptions_and_facts(self, gallery, new_image):
        """What is written about a place finds it: its description, and the names and values of its metadata."""
        gallery.add(
            [
                new_image(1, place=Place("x-1", "Gate", metadata={"作者": "王希孟", "no": "0012"})),
                new_image(2, place=Place("x-2", "Hall", description="Built of oak.")),
            ]
        )

        def ids(text):
            return [summary.place.place_id for summary in gallery.places(text=text).places]

        assert ids("王希孟") == ids("0012") == ["x-1"]
        assert ids("oak") == ["x-2"]


def test_collections_count_images_and_places(gallery, new_image):
    """Each collection is listed with what it holds, and vanishes with its last image."""
    place = Place("p", "P")
    gallery.add([new_image(1, collection="b", place=place), new_image(2, collection="b", place=place)])
    only = gallery.add([new_image(3, collection="a")])[0].image

    assert gallery.collections() == [CollectionSummary("a", 1, 1), CollectionSummary("b", 2, 1)]
    assert (gallery.count(), gallery.count("b"), gallery.count("none")) == (3, 2, 0)
    gallery.delete(only.image_id)
    assert [summary.name for summary in gallery.collections()] == ["b"]


def test_cursors_of_long_chinese_names_lead_on(gallery, new_image):
    """Paging goes on behind places with long Chinese names, and the token stays short enough for a URL."""
    names = [f"故宫博物院太和殿前广场东侧铜狮子与日晷展区第{number}号展品说明" * 6 for number in range(3)]
    gallery.add([new_image(number, place=Place(f"p{number}", name)) for number, name in enumerate(names)])

    seen, cursor = [], None
    while True:
        page = gallery.places(cursor=cursor, limit=1)
        seen += [summary.place.name for summary in page.places]
        cursor = page.next_cursor
        if cursor is None:
            break
        assert len(cursor) < 4000

    assert sorted(seen) == sorted(names)


@pytest.mark.parametrize("key", [[10**30], ["a", 10**30], ["\ud800", 1]])
def test_a_forged_cursor_is_refused(gallery, new_image, key):
    """A cursor that SQLite could not even compare with is refused like any other forgery."""
    gallery.add([new_image(1)])
    cursor = base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")

    with pytest.raises(InvalidRequest, match="invalid cursor"):
        gallery.list_images(cursor=cursor)
    with pytest.raises(InvalidRequest, match="invalid cursor"):
        gallery.places(cursor=cursor)
