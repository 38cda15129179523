"""Hidden places are for staff: visitors do not learn that they are there."""

import pytest
from fakes.images import draw_place, encode
from fakes.sounds import wav
from guarded import Guarded
from in_process import error_of

GATE = "/collections/default/places/gate"


@pytest.fixture
def hidden(guarded: Guarded) -> Guarded:
    """The product with a tower, and a gate that is hidden."""
    for seed, place in enumerate(("gate", "tower")):
        photo = {"file": (f"{place}.jpg", encode(draw_place(seed)))}
        guarded.request("POST", "/index/images", "manage", files=photo, data={"place_id": place}).raise_for_status()
    guarded.request("PATCH", GATE, "manage", json={"hidden": True}).raise_for_status()
    return guarded


def listed(product: Guarded, role: str, query: str = "", prefix: str = "") -> list[str]:
    """Ids of the places that a role lists."""
    page = product.request("GET", f"{prefix}/index/places{query}", role).json()
    assert page["total"] == len(page["places"])
    return [place["id"] for place in page["places"]]


@pytest.mark.parametrize("prefix", ["", "/v1"])
@pytest.mark.parametrize("query", ["", "?hidden=true", "?hidden=true&hidden=true", "?hidden=false&%68idden=true"])
def test_a_visitor_cannot_ask_for_a_hidden_place(hidden: Guarded, query: str, prefix: str):
    """By its address or in a list, whatever the query says: the answer is that of a place that does not exist."""
    gone = hidden.request("GET", f"{prefix}{GATE}{query}", "match")
    never = hidden.request("GET", f"{prefix}/collections/default/places/well{query}", "match")

    assert gone.status_code == never.status_code == 404
    assert error_of(gone)["message"].replace("'gate'", "'well'") == error_of(never)["message"]
    assert listed(hidden, "match", query, prefix) == ["tower"]


@pytest.mark.parametrize("query", ["", "?hidden=true"])
def test_a_visitor_is_not_told_how_many_places_are_hidden(hidden: Guarded, query: str):
    """Collections are counted as they are on show; staff gets the number of all places, or of those on show."""

    def counted(role: str, query: str) -> list[int]:
        (only,) = hidden.request("GET", f"/index/collections{query}", role).json()["collections"]
        return [only["places"], only["images"]]

    assert counted("match", query) == [1, 1]
    assert counted("manage", query) == [2, 2]
    assert counted("manage", "?hidden=false") == [1, 1]


def test_a_visitor_does_not_hear_of_a_hidden_place(hidden: Guarded):
    """Its recording has an address that can be guessed, and is answered like one of a place that does not exist."""
    audio = "/index/places/audio?place_id=gate&language=en"
    hidden.request("PUT", audio, "manage", content=wav()).raise_for_status()

    gone = hidden.request("GET", f"{audio}&hidden=true", "match")

    assert (gone.status_code, error_of(gone)["code"]) == (404, "unknown_place")
    assert hidden.request("GET", audio, "manage").content == wav()


def test_staff_sees_hidden_places_and_asks_for_them(hidden: Guarded):
    """Marked, in lists and by their address; and as visitors see them."""
    assert hidden.request("GET", GATE, "manage").json()["hidden"] is True
    assert hidden.request("GET", f"{GATE}?hidden=false", "manage").status_code == 404
    assert listed(hidden, "manage") == ["gate", "tower"]
    assert listed(hidden, "manage", "?hidden=true") == ["gate"]
    assert listed(hidden, "manage", "?hidden=false") == ["tower"]


def test_a_visitor_does_not_hide_or_show_places(hidden: Guarded):
    """Changes are for the role manage."""
    for role in ("match", None):
        assert hidden.request("PATCH", GATE, role, json={"hidden": False}).status_code in {401, 403}

    assert listed(hidden, "match") == ["tower"]


def test_a_visitors_list_keeps_its_other_conditions(hidden: Guarded):
    """What else the query says holds as it stands."""
    assert listed(hidden, "match", "?q=TOW&limit=1&collection=default") == ["tower"]
    assert listed(hidden, "match", "?q=gate") == []
