"""Recordings through the public door, as visitors and operators use it."""

import pytest
from fakes.sounds import wav
from in_process import AppClient, error_of

AUDIO = "/index/places/audio?place_id=place-2&language=en"
SOUND = wav()


@pytest.fixture
def spoken(filled: AppClient) -> AppClient:
    """The product; one of its places has a recording."""
    assert filled.request("PUT", AUDIO, content=SOUND).status_code == 200
    return filled


def test_a_player_gets_the_part_it_asks_for(spoken: AppClient):
    """Uncompressed, with the headers by which it knows which part it is."""
    headers = {"Range": "bytes=0-1", "Accept-Encoding": "gzip"}

    part = spoken.get(AUDIO, headers=headers)
    whole = spoken.get(f"/v1{AUDIO}", headers={"Accept-Encoding": "gzip"})

    assert (part.status_code, part.content) == (206, SOUND[:2])
    assert part.headers["content-range"] == f"bytes 0-1/{len(SOUND)}"
    assert (whole.status_code, whole.content) == (200, SOUND)
    for answer in (part, whole):
        assert answer.headers["content-type"] == "audio/wav"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["accept-ranges"] == "bytes"
        assert "content-encoding" not in answer.headers


def test_a_page_of_the_product_may_play_it(spoken: AppClient):
    """The page's policy allows media of its own origin alone."""
    assert "media-src 'self';" in spoken.get("/").headers["content-security-policy"]


def test_what_the_service_refuses_is_passed_on(spoken: AppClient):
    """With its code and what would be accepted."""
    answer = spoken.request("PUT", AUDIO, content=b"no sound")

    assert (answer.status_code, error_of(answer)["code"]) == (415, "unsupported_audio")
    assert spoken.get(AUDIO).content == SOUND
