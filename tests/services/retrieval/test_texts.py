"""Texts in several languages over HTTP: changed, imported, and as a reader gets them."""

import csv
import io
import time

import pytest
from fakes.images import draw_place, encode
from fakes.sounds import wav
from in_process import AppClient, error_of
from name_tables import pack

PHOTO = encode(draw_place(1))
VASE = "/collections/default/places/vase"
ENGLISH = {"name": "Vase", "description": "Blue and **white**.", "machine_translated": False, "transcript": ""}


@pytest.fixture
def vase(retrieval: AppClient) -> AppClient:
    """The service with a vase, described in Chinese."""
    fields = {"place_id": "vase", "place_name": "青花瓶", "description": "青花"}
    assert retrieval.post("/index/images", files={"file": ("a.jpg", PHOTO)}, data=fields).json()["added"] == 1
    return retrieval


def shown(retrieval: AppClient, languages: str = "", path: str = VASE) -> dict:
    """What a reader of these languages gets."""
    answer = retrieval.get(path, headers={"Accept-Language": languages} if languages else {})
    assert answer.headers["vary"] == "Accept-Language"
    return answer.json()["shown"]


def test_a_text_is_added_changed_and_deleted(vase: AppClient):
    """Language by language, field by field; the reply and the place have all of them, the tag changes with them."""
    before = vase.get(VASE)

    added = vase.request(
        "PATCH", VASE, json={"texts": {"EN": ENGLISH, "ja": {"name": "花瓶", "machine_translated": True}}}
    )
    refused = vase.request("PATCH", VASE, json={"texts": {}}, headers={"If-Match": before.headers["etag"]})
    changed = vase.request("PATCH", VASE, json={"texts": {"en": {"name": "A vase"}, "ja": None}})

    assert (before.json()["texts"], refused.status_code) == ({}, 412)
    assert added.json()["texts"] == {
        "en": ENGLISH,
        "ja": {"name": "花瓶", "description": "", "machine_translated": True, "transcript": ""},
    }
    assert changed.json()["texts"] == vase.get(VASE).json()["texts"] == {"en": {**ENGLISH, "name": "A vase"}}
    assert (changed.json()["name"], changed.json()["description"]) == ("青花瓶", "青花")


@pytest.mark.parametrize(
    "texts",
    [
        {"en_US": ENGLISH},
        {"not a tag": ENGLISH},
        {"abcdefghi": ENGLISH},
        {"en": {"name": "x" * 501}},
        {"en": {"title": "x"}},
    ],
)
def test_an_unacceptable_text_is_refused(vase: AppClient, texts: dict):
    """The error says so, and nothing is stored."""
    answer = vase.request("PATCH", VASE, json={"texts": texts})

    assert (answer.status_code, error_of(answer)["code"]) == (422, "invalid_request")
    assert vase.get(VASE).json()["texts"] == {}


def test_a_place_changes_by_its_photo_as_well(vase: AppClient):
    """The fields of the place that an image shows are changed with the image, its texts too."""
    image_id = vase.get("/index/images").json()["images"][0]["id"]

    answer = vase.request("PATCH", f"/index/images/{image_id}", json={"texts": {"en": ENGLISH}})

    assert answer.status_code == 200
    assert vase.get(VASE).json()["texts"] == {"en": ENGLISH}


def test_a_reader_gets_the_language_of_the_phone(vase: AppClient):
    """Name and description fall back on their own to what there is; the language of each is said where it is known."""
    vase.request("PATCH", VASE, json={"texts": {"en": ENGLISH, "ja": {"name": "花瓶", "machine_translated": True}}})
    vase.request("PATCH", "/collections/default", json={"language": "zh-Hans"})

    english, japanese, french = (shown(vase, wish) for wish in ("en-GB,en;q=0.9", "ja", "fr, zh;q=0.5, en;q=0.2"))

    html = "<p>Blue and <strong>white</strong>.</p>\n"
    assert english == {
        "name": "Vase", "name_language": "en", "description": ENGLISH["description"], "language": "en",
        "html": html, "machine_translated": False, "audio": None,
    }  # fmt: skip
    assert japanese == {
        "name": "花瓶", "name_language": "ja", "description": "青花", "language": "zh-Hans",
        "html": "<p>青花</p>\n", "machine_translated": True, "audio": None,
    }  # fmt: skip
    assert (french["name"], french["name_language"], french["machine_translated"]) == ("青花瓶", "zh-Hans", False)


def test_a_language_with_a_recording_alone_takes_no_text_away(vase: AppClient):
    """A reader of French and English hears French, and reads the English text as before; so with a name alone."""
    vase.request("PATCH", VASE, json={"texts": {"en": ENGLISH, "it": {"name": "Vaso"}}})
    vase.request("PATCH", "/collections/default", json={"language": "zh-Hans"})
    spoken = {"collection": "default", "place_id": "vase", "language": "fr"}
    assert vase.request("PUT", "/index/places/audio", params=spoken, content=wav()).status_code == 200

    french, italian = shown(vase, "fr, en;q=0.8"), shown(vase, "it, en;q=0.8")

    assert (french["name"], french["description"]) == (ENGLISH["name"], ENGLISH["description"])
    assert french["audio"]["language"] == "fr"
    assert (italian["name"], italian["description"]) == ("Vaso", ENGLISH["description"])


def test_without_a_known_language_the_own_text_is_not_passed_over(vase: AppClient):
    """Nobody can say that a Chinese reader does not understand it; and it is not said in which language it is."""
    vase.request("PATCH", VASE, json={"texts": {"en": ENGLISH}})

    chinese, english = shown(vase, "zh-CN,zh;q=0.9,en;q=0.8"), shown(vase, "en,zh")

    assert (chinese["name"], chinese["language"], chinese["name_language"]) == ("青花瓶", None, None)
    assert english["name"] == "Vase"


def test_candidates_have_their_texts_for_the_reader(vase: AppClient):
    """Search answers in the language of the visitor; what is stored stays beside it."""
    vase.request("PATCH", VASE, json={"texts": {"en": ENGLISH}})

    found = vase.post("/search", content=PHOTO, headers={"Accept-Language": "en"}).json()["candidates"][0]["image"]

    assert (found["place"]["name"], found["place"]["shown"]["name"]) == ("青花瓶", "Vase")


def test_a_manifest_brings_texts_and_corrects_them(retrieval: AppClient):
    """With the photos in an archive, and alone: what it says replaces what is stored, the rest stays."""
    header = "file,place_id,place_name,place_name.en,description.en,machine_translated.en\n"
    archive = pack({"manifest.csv": f"{header}a.jpg,vase,青花瓶,Vase,Blue and **white**.,yes\n", "a.jpg": PHOTO})
    sent = retrieval.post("/index/images", files={"file": ("all.zip", archive)}).json()
    brought = retrieval.get(VASE).json()["texts"]

    manifest = f"{header}a.jpg,vase,,,Blue and **white**.,\n"
    corrected = retrieval.post("/index/images", files={"file": ("manifest.csv", manifest.encode())}).json()
    again = retrieval.post("/index/images", files={"file": ("manifest.csv", manifest.encode())}).json()

    assert (sent["added"], sent["notes"]) == (1, [])
    assert brought == {"en": {**ENGLISH, "machine_translated": True}}
    assert (corrected["updated"], again["updated"]) == (1, 0)
    assert retrieval.get(VASE).json()["texts"] == {"en": ENGLISH}


@pytest.mark.parametrize(("language", "mark"), [("en", "machine_translated.ja"), ("zh", "机器翻译.ja")])
def test_texts_are_exported_edited_and_imported(vase: AppClient, language: str, mark: str):
    """The table has columns of all languages; read again it changes nothing, edited it says what would change."""
    japanese = {"name": "花瓶", "description": "青", "machine_translated": True, "transcript": "あお"}
    texts = {"en": ENGLISH, "ja": japanese}
    vase.request("PATCH", VASE, json={"texts": texts})

    exported = vase.get("/index/manifest", params={"language": language}).content
    (row,) = csv.DictReader(io.StringIO(exported.decode("utf-8-sig")))
    same, edited = (
        vase.post("/index/images", files={"file": ("manifest.csv", table)}, data={"dry_run": "true"}).json()
        for table in (exported, exported.replace(b"Vase", b"A vase").replace(row[mark].encode(), b"no"))
    )

    assert (same["would_update"], same["rejected"], same["notes"]) == (0, 0, [])
    assert edited["changes"] == [
        {
            "place_id": "vase",
            "name": "青花瓶",
            "before": {"place_name.en": "Vase", "machine_translated.ja": True},
            "after": {"place_name.en": "A vase", "machine_translated.ja": False},
        }
    ]
    assert vase.get(VASE).json()["texts"] == texts


def test_texts_of_a_photo_without_a_place_are_not_lost(retrieval: AppClient):
    """A row that names no place describes the place that its photo is."""
    archive = pack({"manifest.csv": "file,description.en\na.jpg,Blue\n", "a.jpg": PHOTO})

    retrieval.post("/index/images", files={"file": ("all.zip", archive)})

    (place,) = retrieval.get("/index/places").json()["places"]
    assert (place["name"], place["texts"]["en"]["description"]) == ("a", "Blue")


def test_a_collection_has_a_language(retrieval: AppClient):
    """Given when it is created, changed, forgotten; a name and a language change together or not at all."""
    created = retrieval.post("/collections", json={"name": "park", "language": "fr"}).json()
    refused = retrieval.request("PATCH", "/collections/park", json={"name": "garden", "language": "f-r"})
    changed = retrieval.request("PATCH", "/collections/park", json={"name": "garden", "language": "DE"}).json()
    forgotten = retrieval.request("PATCH", "/collections/garden", json={"language": None}).json()

    assert (created["id"], created["language"]) == ("park", "fr")
    assert refused.status_code == 422
    assert (changed["id"], changed["language"]) == ("garden", "de")
    assert (forgotten["id"], forgotten["language"]) == ("garden", None)


def test_a_rename_to_the_same_name_keeps_the_log_of_matches(vase: AppClient):
    """It changes nothing, so no record is lost."""
    match = {
        "request_id": "r1", "at": time.time(), "collection": "default", "matched": True, "place_id": "vase",
        "place_name": "青花瓶", "confidence": 0.9, "score": 0.9, "verification": "done", "encoder": "e",
        "verifier": "v", "evidence": {},
    }  # fmt: skip
    vase.post("/matches", json={"matches": [match]})

    vase.request("PATCH", "/collections/default", json={"name": "default"})

    assert len(vase.get("/collections/default/matches").json()["matches"]) == 1
