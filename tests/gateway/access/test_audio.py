"""Who may hear and who may change recordings."""

from bad_photos import GOOD_PHOTO
from fakes.sounds import wav
from guarded import Guarded

AUDIO = "/index/places/audio?place_id=vase&language=en"


def test_visitors_hear_and_operators_store(guarded: Guarded):
    """A visitor's key plays a recording and changes none; without a key there is nothing to hear."""
    photo = {"file": ("a.jpg", GOOD_PHOTO)}
    guarded.request("POST", "/index/images", "manage", files=photo, data={"place_id": "vase"})

    stored = guarded.request("PUT", AUDIO, "manage", content=wav())
    refused = [guarded.request(method, AUDIO, "match", content=wav()) for method in ("PUT", "DELETE")]

    assert (stored.status_code, [answer.status_code for answer in refused]) == (200, [403, 403])
    assert guarded.request("GET", AUDIO, "match").content == wav()
    assert guarded.request("GET", AUDIO).status_code == 401
