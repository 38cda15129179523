"""Recordings go into archives and come out of them, with all else that a place has."""

import base64
import hashlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes.encoders import ThumbnailEncoder
from fakes.images import draw_place, encode
from fakes.sounds import mp3, ogg, wav
from in_process import AppClient, error_of
from name_tables import pack

from services.retrieval.app import create_app
from services.retrieval.settings import RetrievalSettings

PHOTOS = [encode(draw_place(seed)) for seed in range(4)]
ENGLISH, CHINESE, OTHER = wav(pitch=440), mp3(), ogg()
AUDIO = "/index/places/audio"
HEADER = "file,place_id,place_name,audio.en\n"


def send(service: AppClient, archive: bytes, name: str = "all.zip", **fields: str) -> dict[str, Any]:
    """Upload a file."""
    answer = service.post("/index/images", files={"file": (name, archive)}, data=fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


def put(service: AppClient, place_id: str, language: str, data: bytes) -> None:
    """Store a recording."""
    params = {"place_id": place_id, "language": language}
    assert service.request("PUT", AUDIO, params=params, content=data).status_code == 200


def heard(
    service: AppClient, place_id: str = "vase", language: str = "en", collection: str = "default"
) -> bytes | None:
    """A recording; None where there is none."""
    params = {"collection": collection, "place_id": place_id, "language": language}
    answer = service.get(AUDIO, params=params)
    return answer.content if answer.status_code == 200 else None


def places(service: AppClient, collection: str) -> dict[str, Any]:
    """All that is shown of the places of a collection, but for addresses; recordings as their bytes."""
    listed = service.get("/index/places", params={"collection": collection}).json()["places"]
    return {
        place["id"]: {
            **{name: value for name, value in place.items() if name not in ("collection", "preview_url")},
            "recordings": {tag: heard(service, place["id"], tag, collection) for tag in place["recordings"]},
        }
        for place in listed
    }


def photos(service: AppClient, collection: str) -> set[tuple[str, str, str]]:
    """Place, name and content of the photos of a collection."""
    listed = service.get("/index/images", params={"collection": collection}).json()["images"]
    return {(image["place"]["id"], image["filename"], image["content_hash"]) for image in listed}


def files_of(folder: Path) -> dict[str, int]:
    """The stored originals, and when they were written."""
    return {path.name: path.stat().st_mtime_ns for path in (folder / "originals").rglob("*.*")}


@pytest.fixture
def museum(retrieval: AppClient) -> AppClient:
    """Three places: one with all that a place may have, one hidden, and one that has a recording and nothing else."""
    manifest = (
        "file,place_id,place_name,description,latitude,longitude,metadata,hidden,description.de,machine_translated.de,"
        "transcript.en,transcript.zh-Hans\n"
        '1.jpg,0012,青花瓶,**青花**,39.9,116.3,"{""room"": 3}",no,Blau,yes,*Blue*,青\n2.jpg,0012,,,,,,,,,,\n'
        "3.jpg,hall/bell,Bell,,,,,yes,,,,\n4.jpg,=1+1,Jar,,,,,,,,,\n"
    )
    entries = {f"{number}.jpg": photo for number, photo in enumerate(PHOTOS, start=1)}
    assert send(retrieval, pack({"manifest.csv": manifest, **entries}))["added"] == 4
    for place_id, language, data in [
        ("0012", "en", ENGLISH), ("0012", "zh-Hans", CHINESE), ("hall/bell", "en", ENGLISH), ("=1+1", "fr", OTHER),
    ]:  # fmt: skip
        put(retrieval, place_id, language, data)
    return retrieval


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_export_fills_an_empty_collection(museum: AppClient, language: str):
    """Photos, texts, marks and recordings with their transcripts are the same, byte for byte."""
    answer = museum.get("/index/archive", params={"language": language})

    reply = send(museum, answer.content, collection="copy")

    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == "attachment; filename*=utf-8''default.zip"
    assert (reply["added"], reply["rejected"], reply["notes"]) == (4, 0, [])
    copied = places(museum, "copy")
    assert copied == places(museum, "default")
    assert copied["0012"]["recordings"] == {"en": ENGLISH, "zh-Hans": CHINESE}
    assert copied["0012"]["texts"]["en"]["transcript"] == "*Blue*"
    assert (copied["hall/bell"]["hidden"], copied["=1+1"]["recordings"]) == (True, {"fr": OTHER})
    assert photos(museum, "copy") == photos(museum, "default")


def test_an_export_that_comes_back_changes_nothing(museum: AppClient, folder: Path):
    """As an archive and as a table alone: all is known by its content, and no file is written again."""
    lines = "A form\r\nof a browser"
    texts = {"description": lines, "texts": {"fr": {"description": lines, "transcript": lines}}}
    assert museum.request("PATCH", "/collections/default/places/0012", json=texts).status_code == 200
    archive = museum.get("/index/archive").content
    table = museum.get("/index/manifest").content
    before = places(museum, "default"), files_of(folder)

    for name, data in (("all.zip", archive), ("manifest.csv", table)):
        dry, done = (send(museum, data, name, dry_run=is_dry) for is_dry in ("true", "false"))
        assert (dry["would_update"], dry["changes"], dry["rejected"]) == (0, [], 0)
        assert (done["updated"], done["added"], done["rejected"]) == (0, 0, 0)

    assert (places(museum, "default"), files_of(folder)) == before


@pytest.fixture
def vase(retrieval: AppClient) -> AppClient:
    """A vase with a recording in English and its transcript."""
    send(retrieval, pack({"manifest.csv": "file,place_id,transcript.en\na.jpg,vase,Blue\n", "a.jpg": PHOTOS[0]}))
    put(retrieval, "vase", "en", ENGLISH)
    return retrieval


def test_a_preview_says_which_recordings_change(vase: AppClient, folder: Path):
    """By the names of the files; then they are replaced with the texts, and an empty cell leaves one alone."""
    manifest = "file,place_id,place_name,audio.en,audio.fr,audio.de\na.jpg,vase,Vase,new/Guide.OGG,new\\bleu.mp3,\n"
    archive = pack(
        {"m/manifest.csv": manifest, "m/new/guide.ogg": OTHER, "m/new/bleu.mp3": CHINESE, "m/a.jpg": PHOTOS[0]}
    )
    put(vase, "vase", "de", ENGLISH)

    dry = send(vase, archive, dry_run="true")
    before = heard(vase), heard(vase, language="fr")
    done = send(vase, archive)

    former = f"audio/{hashlib.sha256(ENGLISH).hexdigest()}.wav"
    assert dry["changes"] == [
        {
            "place_id": "vase",
            "name": "vase",
            "before": {"place_name": "vase", "audio.en": former, "audio.fr": ""},
            "after": {"place_name": "Vase", "audio.en": "m/new/guide.ogg", "audio.fr": "m/new/bleu.mp3"},
        }
    ]
    assert (dry["would_update"], dry["rejected"], before) == (1, 0, (ENGLISH, None))
    assert (done["updated"], done["rejected"]) == (1, 0)
    assert [heard(vase, language=tag) for tag in ("en", "fr", "de")] == [OTHER, CHINESE, ENGLISH]
    assert places(vase, "default")["vase"]["texts"]["en"]["transcript"] == "Blue"
    assert len([name for name in files_of(folder) if not name.endswith(".jpg")]) == 3


REFUSALS = {
    "no recording": (b"no sound", "unsupported_audio", "accepted: MP3, M4A (AAC), Ogg (Opus or Vorbis), WAV"),
    "a photo": (encode(draw_place(9, (64, 48))), "unsupported_audio", "this is no recording of an accepted kind"),
    "too large": (wav(1.0), "image_too_large", "at most 10,000 are accepted"),
    "missing": (None, "invalid_request", "is not there; send it with the manifest"),
}


@pytest.fixture
def narrow(folder: Path) -> Iterator[AppClient]:
    """A service that takes recordings of 10 kB; it has a vase and a bell."""
    settings = RetrievalSettings(data_dir=folder, max_audio_bytes=10_000)
    with AppClient(create_app(settings, encoder=ThumbnailEncoder())) as client:
        manifest = "file,place_id\na.jpg,vase\nb.jpg,bell\n"
        send(client, pack({"manifest.csv": manifest, "a.jpg": PHOTOS[0], "b.jpg": PHOTOS[1]}))
        yield client


@pytest.mark.parametrize("way", ["archive", "form", "form without photos"])
@pytest.mark.parametrize("case", REFUSALS)
def test_a_recording_is_refused_with_its_row(narrow: AppClient, way: str, case: str):
    """With the error of an upload and what would be accepted; its place is unchanged, and other places are changed."""
    data, code, reason = REFUSALS[case]
    entries: dict[str, bytes] = {
        "manifest.csv": f"{HEADER}a.jpg,vase,Vase,audio/a.mp3\nb.jpg,bell,Bell,audio/b.wav\n".encode(),
        "audio/b.wav": ENGLISH,
        **({} if data is None else {"audio/a.mp3": data}),
        **({"a.jpg": PHOTOS[0], "b.jpg": PHOTOS[1]} if way != "form without photos" else {}),
    }
    files = [("file", (path, content)) for path, content in entries.items()]
    sent = {"file": ("all.zip", pack(entries))} if way == "archive" else files

    replies = [narrow.post("/index/images", files=sent, data={"dry_run": dry}).json() for dry in ("true", "false")]

    for reply in replies:
        (refused,) = [result for result in reply["results"] if result["status"] == "rejected"]
        assert (refused["filename"], refused["code"]) == ("manifest.csv", code)
        assert refused["reason"].startswith("manifest.csv, line 2: audio.en 'audio/a.mp3'")
        assert reason in refused["reason"]
    assert [change["place_id"] for change in replies[0]["changes"]] == ["bell"]
    assert replies[1]["updated"] == 1
    assert (heard(narrow), heard(narrow, "bell")) == (None, ENGLISH)
    assert {place["name"] for place in places(narrow, "default").values()} == {"vase", "Bell"}


def test_no_path_leads_out_of_an_archive(vase: AppClient, folder: Path):
    """Neither one of the manifest, which is refused, nor one of an entry, which is nobody's recording."""
    (folder.parent / "secret.wav").write_bytes(OTHER)
    outside = [f"{'../' * 9}{folder.parent}/secret.wav", str(folder.parent / "secret.wav"), "..\\secret.wav"]

    for path in outside:
        entries = {"manifest.csv": f"{HEADER}a.jpg,vase,,{path}\n", "a.jpg": PHOTOS[0]}
        (result,) = send(vase, pack(entries))["results"]
        assert result["reason"].startswith("manifest.csv, line 2: audio.en ")
        assert "is not a path inside the folder" in result["reason"]
    entries = {"manifest.csv": f"{HEADER}a.jpg,vase,,secret.wav\n", "a.jpg": PHOTOS[0], "../secret.wav": OTHER}
    reasons = " ".join(str(result["reason"]) for result in send(vase, pack(entries))["results"])

    assert "points outside the archive" in reasons
    assert "audio.en 'secret.wav' is not there" in reasons
    assert heard(vase) == ENGLISH


def test_a_recording_that_cannot_be_unpacked_is_refused(vase: AppClient):
    """A damaged entry is named with its row, and the recording that is there stays."""
    archive = bytearray(pack({"manifest.csv": f"{HEADER}a.jpg,vase,,a.ogg\n", "a.jpg": PHOTOS[0], "a.ogg": OTHER}))
    archive[archive.index(OTHER) + 40] ^= 1

    (_, refused) = send(vase, bytes(archive))["results"]

    assert (refused["status"], refused["code"]) == ("rejected", "unsupported_audio")
    assert "line 2: audio.en 'a.ogg': 'a.ogg' cannot be unpacked" in refused["reason"]
    assert heard(vase) == ENGLISH


@pytest.mark.parametrize("is_packed", [False, True], ids=["form", "archive"])
def test_a_manifest_is_sent_with_its_recordings_alone(vase: AppClient, is_packed: bool):
    """As the page does after the photos: in the folder that holds both, without a photo, for places that are there."""
    table = f"{HEADER}a.jpg,vase,Vase,audio/a.ogg\nb.jpg,none,Bell,audio/a.ogg\n".encode()
    entries = {"m/manifest.csv": table, "m/audio/a.ogg": OTHER}
    sent = {"all.zip": pack(entries)} if is_packed else entries

    reply = vase.post("/index/images", files=[("file", file) for file in sent.items()]).json()

    assert [(result["status"], result["reason"]) for result in reply["results"]] == [
        ("updated", "the texts and recordings of 1 places were corrected"),
        ("rejected", "no place 'none'"),
    ]
    assert heard(vase) == OTHER


def test_a_file_is_read_once_for_many_places(retrieval: AppClient):
    """One welcome for all halls: every place has it, and it is stored once."""
    rows = "".join(f"{number}.jpg,p{number},,welcome.wav\n" for number in range(4))
    photos_of = {f"{number}.jpg": photo for number, photo in enumerate(PHOTOS)}

    reply = send(retrieval, pack({"manifest.csv": HEADER + rows, "welcome.wav": ENGLISH, **photos_of}))

    assert (reply["added"], reply["rejected"]) == (4, 0)
    assert {heard(retrieval, f"p{number}") for number in range(4)} == {ENGLISH}


def test_a_recording_of_the_collection_is_named_by_its_hash(vase: AppClient, folder: Path):
    """As an export does: for another place and another language too, without its file, and the question says which."""
    sha256 = hashlib.sha256(ENGLISH).hexdigest()
    send(vase, pack({"bell/b.jpg": PHOTOS[1], "gate/c.jpg": PHOTOS[2]}))
    stored = files_of(folder)
    rows = f"a.jpg,vase,,\nb.jpg,bell,,audio/{sha256}.wav\nc.jpg,gate,,audio/{'0' * 64}.wav\n"

    known = [
        vase.post("/index/known", json={"collection": name, "content_hashes": [sha256, "0" * 64]}).json()["known"]
        for name in ("default", "other")
    ]
    reply = send(vase, (HEADER + rows).encode(), "manifest.csv")
    elsewhere = pack({"manifest.csv": f"{HEADER}b.jpg,bell,,audio/{sha256}.wav\n", "b.jpg": PHOTOS[1]})
    refused = send(vase, elsewhere, collection="other")

    assert known == [[sha256], []]
    assert (reply["updated"], heard(vase, "bell"), heard(vase, "gate")) == (1, ENGLISH, None)
    assert "line 4: audio.en" in reply["results"][1]["reason"]
    assert files_of(folder).items() >= stored.items()
    assert (refused["added"], refused["rejected"], heard(vase, "bell", collection="other")) == (1, 1, None)


def test_a_plan_names_recordings_and_what_is_missing(retrieval: AppClient):
    """The page asks before it sends anything: recordings are neither photos nor left out."""
    table = b"file,place_id,audio.en,audio.fr\na.jpg,vase,audio/a.ogg,audio/b.ogg\n"
    question = {
        "sources": [{"paths": ["manifest.csv", "a.jpg", "audio/a.ogg", "notes.txt"]}],
        "manifests": [{"source": 0, "file": 0, "data": base64.b64encode(table).decode()}],
    }

    plan = retrieval.post("/index/plan", json=question).json()

    assert [file["kind"] for file in plan["files"][0]] == ["manifest", "photo", "recording", "unlisted"]
    assert plan["missing"] == ["manifest.csv, line 2: audio.fr 'audio/b.ogg' is not there"]


def test_an_unknown_collection_has_no_archive(retrieval: AppClient):
    """It is not an empty archive; a collection that holds nothing is."""
    retrieval.post("/collections", json={"name": "empty"})

    unknown = retrieval.get("/index/archive", params={"collection": "none"})
    empty = retrieval.get("/index/archive", params={"collection": "empty"})

    assert (unknown.status_code, error_of(unknown)["code"]) == (404, "unknown_collection")
    with zipfile.ZipFile(io.BytesIO(empty.content)) as archive:
        assert archive.namelist() == ["manifest.csv"]
