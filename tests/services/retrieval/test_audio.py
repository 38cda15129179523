"""Recordings of places over HTTP: stored, heard whole and in parts, chosen for the reader, deleted."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from fakes.encoders import ThumbnailEncoder
from fakes.images import draw_place, encode
from fakes.sounds import m4a, mp3, ogg, wav
from in_process import AppClient, error_of

from services.retrieval.app import create_app
from services.retrieval.settings import RetrievalSettings

AUDIO = "/index/places/audio"
VASE = "/collections/default/places/vase"
ENGLISH, CHINESE = wav(pitch=440), mp3()


@pytest.fixture
def vase(retrieval: AppClient) -> AppClient:
    """The service with a vase."""
    fields = {"place_id": "vase", "place_name": "青花瓶", "description": "青花"}
    assert retrieval.post("/index/images", files={"file": ("a.jpg", encode(draw_place(1)))}, data=fields).json()[
        "added"
    ]
    return retrieval


def where(language: str = "en", place_id: str = "vase", **further: str) -> dict[str, str]:
    """The query that names a recording."""
    return {"place_id": place_id, "language": language, **further}


def put(service: AppClient, data: bytes = ENGLISH, language: str = "en", **headers: str):
    """Store a recording of the vase."""
    return service.request("PUT", AUDIO, params=where(language), content=data, headers=headers)


def shown(service: AppClient, languages: str) -> dict | None:
    """The recording that a reader of these languages gets."""
    return service.get(VASE, headers={"Accept-Language": languages}).json()["shown"]["audio"]


@pytest.mark.parametrize(
    ("data", "media_type"),
    [(wav(), "audio/wav"), (mp3(), "audio/mpeg"), (ogg(), "audio/ogg"), (m4a(), "audio/mp4")],
)
def test_it_is_served_as_what_it_is(vase: AppClient, data: bytes, media_type: str):
    """Whatever the client calls it: byte for byte, by its true type, and as nothing else."""
    stored = put(vase, data, **{"Content-Type": "text/html"})
    answer = vase.get(AUDIO, params=where())

    assert stored.status_code == 200
    assert (answer.status_code, answer.content) == (200, data)
    assert answer.headers["content-type"] == media_type
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["accept-ranges"] == "bytes"
    assert stored.json()["recordings"]["en"] == {
        "url": f"{AUDIO}?collection=default&place_id=vase&language=en", "media_type": media_type, "bytes": len(data)
    }  # fmt: skip


def test_a_part_is_served(vase: AppClient):
    """As players ask for it, and of the recording that they know; a browser that has all of it is told so."""
    put(vase)
    etag = vase.get(AUDIO, params=where()).headers["etag"]

    part = vase.get(AUDIO, params=where(), headers={"Range": "bytes=10-19"})
    known = vase.get(AUDIO, params=where(), headers={"If-None-Match": etag})
    put(vase, CHINESE)
    whole = vase.get(AUDIO, params=where(), headers={"Range": "bytes=10-19", "If-Range": etag})

    assert (part.status_code, part.content) == (206, ENGLISH[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(ENGLISH)}"
    assert part.headers["content-length"] == "10"
    assert (known.status_code, known.content) == (304, b"")
    assert (whole.status_code, whole.content) == (200, CHINESE)
    assert "no-cache" in whole.headers["cache-control"]


@pytest.mark.parametrize("data", [b"", b"<!doctype html>", encode(draw_place(2))], ids=["nothing", "a page", "a photo"])
def test_what_is_no_recording_is_refused(vase: AppClient, data: bytes):
    """With what would be accepted; nothing is stored."""
    answer = put(vase, data, **{"Content-Type": "audio/mpeg"})

    assert (answer.status_code, error_of(answer)["code"]) == (415, "unsupported_audio")
    assert error_of(answer)["accepted"] == "MP3, M4A (AAC), Ogg (Opus or Vorbis), WAV"
    assert vase.get(VASE).json()["recordings"] == {}


@pytest.fixture
def narrow(folder: Path) -> Iterator[AppClient]:
    """A service that takes recordings of 100 bytes."""
    settings = RetrievalSettings(data_dir=folder, max_audio_bytes=100)
    with AppClient(create_app(settings, encoder=ThumbnailEncoder())) as client:
        yield client


def test_a_recording_that_is_too_large_is_refused(narrow: AppClient):
    """By its announced size, and the limit is said."""
    answer = put(narrow)

    assert answer.status_code == 413
    assert error_of(answer)["accepted"] == "at most 100 bytes"


@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE"])
@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        (where(place_id="bell"), 404, "unknown_place"),
        (where(collection="nowhere"), 404, "unknown_collection"),
        (where("abcdefghi"), 422, "invalid_request"),
        (where("en", title="x"), 422, "invalid_request"),
        ({"place_id": "vase"}, 422, "invalid_request"),
    ],
)
def test_an_address_of_nothing_is_an_error(vase: AppClient, method: str, query: dict, status: int, code: str):
    """Of all three methods the same."""
    answer = vase.request(method, AUDIO, params=query, content=ENGLISH if method == "PUT" else None)

    assert (answer.status_code, error_of(answer)["code"]) == (status, code)


def test_it_is_deleted_with_its_transcript(vase: AppClient):
    """And is unknown afterwards; the text in that language stays."""
    put(vase)
    vase.request("PATCH", VASE, json={"texts": {"en": {"name": "Vase", "transcript": "Blue"}}})

    deleted = vase.request("DELETE", AUDIO, params=where())
    gone = [vase.request(method, AUDIO, params=where()) for method in ("GET", "DELETE")]

    assert deleted.status_code == 204
    assert [(answer.status_code, error_of(answer)["code"]) for answer in gone] == [(404, "unknown_recording")] * 2
    place = vase.get(VASE).json()
    assert (place["recordings"], place["texts"]["en"]["name"], place["texts"]["en"]["transcript"]) == ({}, "Vase", "")


def test_a_reader_hears_the_language_of_the_phone(vase: AppClient):
    """The choice is that of texts: the tag, its base language, the collection's own, else any there is."""
    vase.request("PATCH", "/collections/default", json={"language": "zh-Hans"})
    assert shown(vase, "en") is None
    put(vase)
    only = shown(vase, "zh-CN")
    put(vase, CHINESE, "zh-Hans")
    vase.request("PATCH", VASE, json={"texts": {"en": {"transcript": "**Blue** <script>"}}})

    british, chinese, french = (shown(vase, languages) for languages in ("en-GB", "zh-CN,en", "fr"))

    assert (only["language"], chinese["language"], french["language"]) == ("en", "zh-Hans", "zh-Hans")
    assert british["language"] == "en"
    assert british["transcript_html"] == "<p><strong>Blue</strong> &lt;script&gt;</p>\n"
    address = urlsplit(british["url"])
    assert vase.get(address.path, params=dict(parse_qsl(address.query))).content == ENGLISH


def test_an_answer_names_it(vase: AppClient):
    """A visitor's candidates have it as the place has it, with the transcript once, as HTML."""
    put(vase)
    vase.request("PATCH", VASE, json={"texts": {"en": {"transcript": "**Blue**"}}})

    answer = vase.post("/search", content=encode(draw_place(1)))

    audio = answer.json()["candidates"][0]["image"]["place"]["shown"]["audio"]
    assert audio == shown(vase, "en")
    assert (audio["transcript_html"], answer.text.count("Blue")) == ("<p><strong>Blue</strong></p>\n", 1)


def test_a_recording_in_the_own_language_is_no_further_text(vase: AppClient):
    """It has nothing to read; and what was read of a place can be sent back as it is."""
    vase.request("PATCH", "/collections/default", json={"language": "zh-Hans"})
    put(vase, CHINESE, "zh-Hans")
    assert vase.get(VASE).json()["texts"] == {}
    vase.request("PATCH", VASE, json={"texts": {"en": {"name": "Vase"}}})
    put(vase)

    texts = vase.get(VASE).json()["texts"]
    again = vase.request("PATCH", VASE, json={"texts": texts})

    assert (again.status_code, again.json()["texts"]) == (200, texts)
    assert set(again.json()["recordings"]) == {"en", "zh-Hans"}


def test_a_deleted_place_gets_it_back(vase: AppClient):
    """Undone from the trash, it is heard again."""
    put(vase)
    deleted = vase.request("DELETE", VASE).headers["x-trash-id"]
    gone = vase.get(AUDIO, params=where())

    vase.post(f"/trash/{deleted}/restore")

    assert gone.status_code == 404
    assert vase.get(AUDIO, params=where()).content == ENGLISH
