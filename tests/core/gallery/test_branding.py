"""How a collection presents its museum: stored with the collection, and where the collection goes, it goes."""

import pytest
from databases import on_both_databases

from core.errors import InvalidRequest, UnknownCollection
from core.gallery.branding import Branding

pytestmark = on_both_databases

MUSEUM = {"title": "江南博物馆", "colour": "#8a1538", "footer": "苏ICP备1号", "logo": b"\x89PNG"}


def test_what_is_given_changes_and_the_rest_stays(gallery, new_image):
    """Nothing is stored at first; an empty value removes one."""
    gallery.add([new_image(1)])
    assert gallery.branding() == Branding()

    assert gallery.change_branding("default", MUSEUM) == Branding(**MUSEUM)
    gallery.change_branding("default", {"colour": "", "privacy_note": "Photos\nare forgotten."})

    assert gallery.branding() == Branding(**{**MUSEUM, "colour": "", "privacy_note": "Photos\nare forgotten."})
    gallery.change_branding("default", {"logo": None})
    assert gallery.branding().logo is None


def test_a_collection_has_one_before_its_first_photo(gallery):
    """A collection that was created can be presented; one that is not there cannot."""
    gallery.create_collection("new")

    assert gallery.change_branding("new", MUSEUM).title == "江南博物馆"
    for ask in (gallery.branding, lambda name: gallery.change_branding(name, MUSEUM)):
        with pytest.raises(UnknownCollection):
            ask("nowhere")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("privacy_url", "javascript:alert(1)"),
        ("footer_url", "//evil.example"),
        ("footer_url", "https://a b"),
        ("footer_url", 'https://a"onclick="'),
        ("colour", "red"),
        ("colour", "#8A1538"),
        ("title", "two\nlines"),
        ("title", "x" * 101),
        ("privacy_note", "NUL \0"),
    ],
)
def test_what_a_page_must_not_show_is_refused(gallery, new_image, field, value):
    """Only addresses of the web, plain texts and colours; nothing has changed, and the message names the field."""
    gallery.add([new_image(1)])
    gallery.change_branding("default", MUSEUM)

    with pytest.raises(InvalidRequest, match=field):
        gallery.change_branding("default", {field: value})

    assert gallery.branding() == Branding(**MUSEUM)


def test_it_follows_a_new_name(gallery, new_image):
    """The former name leads to it, until another collection is called so, which has none."""
    gallery.add([new_image(1, collection="old")])
    gallery.change_branding("old", MUSEUM)

    gallery.rename_collection("old", "new")
    assert gallery.branding("old") == Branding(**MUSEUM)
    gallery.add([new_image(2, collection="old")])

    assert gallery.branding("new") == Branding(**MUSEUM)
    assert gallery.branding("old") == Branding()


@pytest.mark.parametrize("what", ["image", "place", "collection"])
def test_it_comes_back_from_the_trash(gallery, new_image, what):
    """With the collection, however its last photo went; a collection of that name made meanwhile has none."""
    (added,) = gallery.add([new_image(1)])
    gallery.change_branding("default", MUSEUM)
    put = {
        "image": lambda: gallery.trash.put_image(added.image.image_id),
        "place": lambda: gallery.trash.put_place("default", added.image.place.place_id),
        "collection": lambda: gallery.trash.put_collection("default"),
    }
    deletion = put[what]()
    gallery.add([new_image(2)])
    assert gallery.branding() == Branding()

    gallery.trash.restore(deletion.deletion_id)

    assert gallery.branding() == Branding(**MUSEUM)


def test_one_given_meanwhile_is_not_overwritten_from_the_trash(gallery, new_image):
    """What the operator said last holds."""
    gallery.add([new_image(1)])
    gallery.change_branding("default", MUSEUM)
    deletion = gallery.trash.put_collection("default")
    gallery.add([new_image(2)])
    gallery.change_branding("default", {"title": "New"})

    gallery.trash.restore(deletion.deletion_id)

    assert gallery.branding() == Branding(title="New")


def test_nothing_is_inherited_from_a_collection_that_is_gone(gallery, new_image):
    """Deleted for good, photo by photo or as a whole, it leaves nothing; one that was created keeps it while empty."""
    for name, delete in (
        ("one", lambda image: gallery.delete(image.image_id)),
        ("two", lambda image: gallery.delete_collection(image.collection)),
    ):
        (added,) = gallery.add([new_image(1, collection=name)])
        gallery.change_branding(name, MUSEUM)
        delete(added.image)
        gallery.add([new_image(2, collection=name)])
        assert gallery.branding(name) == Branding()
    gallery.create_collection("kept")
    gallery.change_branding("kept", MUSEUM)
    (added,) = gallery.add([new_image(1, collection="kept")])
    gallery.delete(added.image.image_id)

    assert gallery.branding("kept") == Branding(**MUSEUM)
