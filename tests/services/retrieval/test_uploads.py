"""What an upload is taken for, whatever made it, and what its reply says of that."""

import base64
import unicodedata

import pytest
from fakes.images import draw_place, encode
from in_process import AppClient, error_of
from name_tables import CASES, archive_of, decoded, pack, pack_raw
from PIL import ImageFilter

from core.gallery.values import PLACE_FIELDS

PHOTOS = [encode(draw_place(seed)) for seed in range(1, 7)]


def send(retrieval: AppClient, archive: bytes, name: str = "photos.zip", **fields: str) -> dict:
    answer = retrieval.post("/index/images", files={"file": (name, archive)}, data=fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


def places(retrieval: AppClient) -> dict[str, tuple[str, int]]:
    listed = retrieval.get("/index/places").json()["places"]
    return {place["id"]: (place["name"], place["images"]) for place in listed}


@pytest.mark.parametrize("comment", CASES)
def test_names_of_any_system_name_the_places(retrieval: AppClient, comment: str):
    """A ZIP of any program gives places with readable names, and the reply says where that was a guess."""
    case = CASES[comment]

    reply = send(retrieval, archive_of(case, PHOTOS))

    folders = {name.rpartition("/")[0] for name in decoded(case)}
    assert set(places(retrieval)) == folders
    guessed = [note["detail"] for note in reply["notes"] if note["code"] == "names_guessed"]
    assert guessed == ([case["guessed"]] if case["guessed"] else [])


@pytest.mark.parametrize("codec", ["gbk", "utf-8"])
def test_a_manifest_finds_names_of_any_system(retrieval: AppClient, codec: str):
    """Names without a flag are found by the manifest beside them."""
    names = ["青花瓷瓶/正面.jpg", "南门牌坊/远景.jpg"]
    manifest = "file,place_id\n" + "".join(f"{name},{name[:2]}\n" for name in names)
    archive = pack_raw([b"manifest.csv", *(name.encode(codec) for name in names)], [manifest.encode(), *PHOTOS[:2]])

    reply = send(retrieval, archive)

    assert (reply["added"], reply["rejected"], reply["grouping"]) == (2, 0, "manifest")
    assert set(places(retrieval)) == {"青花", "南门"}


@pytest.mark.parametrize(
    ("row", "entry"),
    [
        ("hall1\\a.jpg", "hall1/a.jpg"),
        ("Hall1/A.jpg", "hall1/a.JPG"),
        ("Büste/vorne.jpg", unicodedata.normalize("NFD", "Büste/vorne.jpg")),
        (unicodedata.normalize("NFD", "Büste/vorne.jpg"), "Büste/vorne.jpg"),
        ("./a.jpg", "a.jpg"),
    ],
)
@pytest.mark.parametrize("name", ["manifest.csv", "Manifest.CSV", "museum/manifest.csv.txt"])
def test_a_manifest_finds_its_files_in_any_spelling(retrieval: AppClient, row: str, entry: str, name: str):
    """Slashes, case and composition differ between the program that wrote the manifest and the one that packed."""
    around = name.rpartition("/")[0]
    entry = f"{around}/{entry}" if around else entry

    reply = send(retrieval, pack({name: f"file,place_id\n{row},h1\n", entry: PHOTOS[0], f"{around}x/readme.txt": "x"}))

    assert places(retrieval) == {"h1": ("h1", 1)}
    assert (reply["added"], reply["rejected"]) == (1, 1)


def test_a_row_that_may_be_two_files_is_refused_alone(retrieval: AppClient):
    """Where names differ in case only, the exact spelling counts, and no other."""
    files = {"a.jpg": PHOTOS[0], "A.JPG": PHOTOS[1]}

    exact = send(retrieval, pack({"manifest.csv": "file,place_id\na.jpg,p\nA.JPG,q\n", **files}))
    vague = send(retrieval, pack({"manifest.csv": "file,place_id\nA.jpg,p\n", **files}))

    assert (exact["added"], exact["rejected"]) == (2, 0)
    assert "may be 2 files" in vague["results"][0]["reason"]


def test_one_folder_of_titles_is_a_place_each(retrieval: AppClient):
    """The reply says what was taken; the same archive can be grouped otherwise."""
    archive = pack({"flat/五牛图（1号）.jpg": PHOTOS[0], "flat/百骏图.jpg": PHOTOS[1]})

    planned = send(retrieval, archive, dry_run="true", grouping="folder")
    reply = send(retrieval, archive)

    assert (planned["grouping"], planned["places"]) == ("folder", 1)
    assert planned["first_places"] == [{"id": "flat", "name": "flat", "images": 2}]
    assert reply["grouping"] == "photo"
    assert sorted(name for name, _ in places(retrieval).values()) == ["五牛图（1号）", "百骏图"]


def test_a_dry_run_adds_nothing(retrieval: AppClient):
    """Every file has the outcome that it would have, and the first places are shown."""
    archive = pack({"hall1/a.jpg": PHOTOS[0], "hall2/b.jpg": PHOTOS[1], "hall2/c.jpg": b"no photo", "x.txt": "x"})
    send(retrieval, pack({"hall1/a.jpg": PHOTOS[0], "other/o.jpg": PHOTOS[2]}))
    before = places(retrieval)

    reply = send(retrieval, archive, dry_run="true")

    assert [result["status"] for result in reply["results"]] == ["duplicate", "planned", "rejected", "rejected"]
    assert (reply["dry_run"], reply["added"], reply["places"]) == (True, 0, 2)
    assert reply["first_places"] == [
        {"id": "hall1", "name": "hall1", "images": 1},
        {"id": "hall2", "name": "hall2", "images": 1},
    ]
    assert places(retrieval) == before


def test_a_dry_run_foresees_what_is_refused(retrieval: AppClient):
    """The same photo twice, and names that cannot be stored, have the status that they have then."""
    archive = pack({"h1/a.jpg": PHOTOS[0], "h2/b.jpg": PHOTOS[0], "  /c.jpg": PHOTOS[1], "h\n3/d.jpg": PHOTOS[2]})

    planned, added = (send(retrieval, archive, dry_run=dry)["results"] for dry in ("true", "false"))

    assert [result["status"] for result in added] == ["added", "duplicate", "rejected", "rejected"]
    assert [entry["status"] for entry in planned] == ["planned", *(result["status"] for result in added[1:])]
    assert "the same photo as 'a.jpg'" in planned[1]["reason"]
    assert [entry["reason"] for entry in planned[2:]] == [result["reason"] for result in added[2:]]


def test_a_text_that_is_refused_hides_no_other_outcome(retrieval: AppClient):
    """Of a manifest sent again, one place's impossible position is named, and everything else is done."""
    first = "file,place_id,place_name,latitude\na.jpg,p1,Vse,\n"
    send(retrieval, pack({"manifest.csv": first, "a.jpg": PHOTOS[0]}))
    second = "file,place_id,place_name,latitude\na.jpg,p1,Vase,999\nb.jpg,p2,Bell,\n"

    reply = send(retrieval, pack({"manifest.csv": second, "a.jpg": PHOTOS[0], "b.jpg": PHOTOS[1]}))
    alone = send(retrieval, second.replace("Bell", "Big bell").replace("999", "nan").encode(), "manifest.csv")

    assert [result["status"] for result in reply["results"]] == ["duplicate", "added", "rejected"]
    assert "place 'p1': invalid latitude: 999.0; give degrees" in reply["results"][2]["reason"]
    assert (alone["updated"], [result["status"] for result in alone["results"]]) == (1, ["updated", "rejected"])
    assert {key: name for key, (name, _) in places(retrieval).items()} == {"p1": "Vse", "p2": "Big bell"}


def test_a_manifest_alone_says_which_rows_name_no_place(retrieval: AppClient):
    """A row with a description only cannot be of a photo that was not sent; a dry run writes nothing."""
    send(retrieval, pack({"manifest.csv": "file,place_id\na.jpg,p1\n", "a.jpg": PHOTOS[0]}))
    table = b"file,place_id,place_name,description\na.jpg,p1,Vase,Blue\nb.jpg,,,Red\n"

    dry = send(retrieval, table, "manifest.csv", dry_run="true")
    reply = send(retrieval, table, "manifest.csv")

    assert ([result["status"] for result in dry["results"]], dry["updated"]) == (["planned", "rejected"], 0)
    assert [(result["status"], result["reason"]) for result in reply["results"]] == [
        ("updated", "the texts of 1 places were corrected"),
        ("rejected", "manifest.csv, line 3: it names no place; give place_id, or place_name"),
    ]


def test_wrappers_and_stray_files_change_nothing(retrieval: AppClient):
    """A readme beside, folders around, thumbnails of a network disk: the exhibits are the same."""
    clutter = {"museum/hall1/@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg": PHOTOS[2], "#recycle/old.jpg": PHOTOS[3]}

    reply = send(
        retrieval,
        pack({"museum/hall1/a.jpg": PHOTOS[0], "museum/hall2/b.jpg": PHOTOS[1], "readme.txt": "hello", **clutter}),
    )

    assert places(retrieval) == {"hall1": ("hall1", 1), "hall2": ("hall2", 1)}
    assert [result["filename"] for result in reply["results"]] == ["a.jpg", "b.jpg", "readme.txt"]


def test_photos_without_a_telling_name_are_photos(retrieval: AppClient):
    """In an archive as in a folder, bytes decide."""
    send(retrieval, pack({"export/hall1/photo": PHOTOS[0], "export/hall2/b.jfif": PHOTOS[1]}))

    assert set(places(retrieval)) == {"hall1", "hall2"}


def test_a_manifest_sent_again_corrects_texts(retrieval: AppClient):
    """Names and descriptions are updated, counted, and what stays the same is not."""
    files = {"a.jpg": PHOTOS[0], "b.jpg": PHOTOS[1], "c.jpg": PHOTOS[2]}
    first = "file,place_id,place_name,description\na.jpg,p1,Vse,Blue\nb.jpg,p2,Bell,\nc.jpg,,,Alone\n"
    send(retrieval, pack({"manifest.csv": first, **files}))
    again = send(retrieval, pack({"manifest.csv": first, **files}))
    second = first.replace("Vse", "Vase").replace("Alone", "A statue")

    corrected = send(retrieval, pack({"manifest.csv": second, **files}))

    assert (again["updated"], corrected["updated"], corrected["duplicates"]) == (0, 2, 3)
    listed = {place["name"]: place["description"] for place in retrieval.get("/index/places").json()["places"]}
    assert listed == {"Vase": "Blue", "Bell": "", "c": "A statue"}


def test_a_manifest_alone_corrects_texts(retrieval: AppClient):
    """Whoever corrects a table sends the table; a row of no place is named."""
    send(retrieval, pack({"manifest.csv": "file,place_id,place_name\na.jpg,p1,Vse\n", "a.jpg": PHOTOS[0]}))
    table = "文件,编号,名称,说明\r\na.jpg,p1,青花瓷瓶,明代\r\nx.jpg,p9,无,\r\n".encode("gb18030")

    reply = send(retrieval, table, "Manifest.csv")

    assert reply["updated"] == 1
    assert [(result["status"], result["code"]) for result in reply["results"]] == [
        ("updated", None),
        ("rejected", "invalid_request"),
    ]
    assert "p9" in reply["results"][1]["reason"]
    assert [note["detail"] for note in reply["notes"]] == ["GB18030"]
    assert places(retrieval) == {"p1": ("青花瓷瓶", 1)}


def test_texts_are_exported_edited_and_imported(retrieval: AppClient):
    """The exported table is read again without a change; an edited one says what would change, and then changes it."""
    manifest = "file,place_id,place_name,metadata\na.jpg,0012,Vase,\nb.jpg,p2,Bell,\n"
    send(retrieval, pack({"manifest.csv": manifest, "a.jpg": PHOTOS[0], "b.jpg": PHOTOS[1]}))

    exported = retrieval.get("/index/manifest", params={"language": "zh"})
    same = send(retrieval, exported.content, "manifest.csv", dry_run="true")
    edited = exported.content.replace(b"Vase", "花瓶".encode()).replace(b"p2", b"p9")
    dry = send(retrieval, edited, "manifest.csv", dry_run="true")
    before = places(retrieval)
    send(retrieval, edited, "manifest.csv")

    assert exported.headers["content-type"] == "text/csv; charset=utf-8"
    assert (same["would_update"], same["changes"], same["rejected"]) == (0, [], 0)
    assert dry["changes"] == [
        {"place_id": "0012", "name": "Vase", "before": {"place_name": "Vase"}, "after": {"place_name": "花瓶"}}
    ]
    assert (dry["would_update"], dry["updated"], dry["rejected"]) == (1, 0, 1)
    assert "p9" in dry["results"][1]["reason"]
    assert before == {"0012": ("Vase", 1), "p2": ("Bell", 1)}
    assert places(retrieval) == {"0012": ("花瓶", 1), "p2": ("Bell", 1)}


def test_a_dry_run_shows_every_column_that_changes(retrieval: AppClient):
    """Whatever a place has one value of has a column, whose values before and after are in the reply."""
    send(retrieval, pack({"manifest.csv": "file,place_id\na.jpg,p1\n", "a.jpg": PHOTOS[0]}))
    columns = "place_name,description,metadata,latitude,longitude,hidden"
    edited = f'file,place_id,{columns}\na.jpg,p1,Vase,Blue,"{{""year"": 1}}",1.5,2.5,yes\n'

    (change,) = send(retrieval, edited.encode(), "manifest.csv", dry_run="true")["changes"]

    after = ["Vase", "Blue", {"year": 1}, 1.5, 2.5, True]
    assert change["before"] == dict(zip(columns.split(","), ["p1", "", {}, None, None, False], strict=True))
    assert change["after"] == dict(zip(columns.split(","), after, strict=True))
    assert len(change["after"]) == len(PLACE_FIELDS)


def test_a_manifest_beside_photos_can_be_tried(retrieval: AppClient):
    """The dry run says which texts would change of places that are there already."""
    send(retrieval, pack({"manifest.csv": "file,place_id,place_name\na.jpg,p1,Vse\n", "a.jpg": PHOTOS[0]}))
    second = "file,place_id,place_name\na.jpg,p1,Vase\nb.jpg,p2,Bell\n"

    dry = send(retrieval, pack({"manifest.csv": second, "a.jpg": PHOTOS[0], "b.jpg": PHOTOS[1]}), dry_run="true")

    assert [(change["place_id"], change["after"]) for change in dry["changes"]] == [("p1", {"place_name": "Vase"})]
    assert (dry["rejected"], places(retrieval)) == (0, {"p1": ("Vse", 1)})


def test_an_unknown_collection_has_no_manifest(retrieval: AppClient):
    """It is not an empty table."""
    answer = retrieval.get("/index/manifest", params={"collection": "none"})

    assert (answer.status_code, error_of(answer)["code"]) == (404, "unknown_collection")


def test_a_photo_to_take_again_is_named_at_once(retrieval: AppClient):
    """Blurred, tiny: the outcome says so when the photo is added."""
    photo = draw_place(9)
    files = {
        "sharp.jpg": encode(photo),
        "blurred.jpg": encode(photo.filter(ImageFilter.GaussianBlur(8))),
        "tiny.jpg": encode(photo.resize((120, 90))),
    }

    added, again = (send(retrieval, pack(files))["results"] for _ in range(2))

    assert {result["filename"]: result["faults"] for result in added} == {
        "sharp.jpg": [],
        "blurred.jpg": ["blurred"],
        "tiny.jpg": ["small"],
    }
    assert [result["faults"] for result in again] == [[], [], []]


def test_a_later_upload_by_folders_leaves_texts_alone(retrieval: AppClient):
    """What a curator wrote is not overwritten by a folder's name."""
    send(retrieval, pack({"manifest.csv": "file,place_id,place_name\na.jpg,p1,Vase\n", "a.jpg": PHOTOS[0]}))

    reply = send(retrieval, pack({"p1/b.jpg": PHOTOS[1]}))

    assert (reply["updated"], places(retrieval)) == (0, {"p1": ("Vase", 2)})


def test_loose_photos_come_with_a_manifest(retrieval: AppClient):
    """A form may hold the manifest beside its photos, as a folder does."""
    files = [
        ("files", ("manifest.csv", b"file,place_id,place_name\nimg\\a.jpg,p1,Vase\nb.jpg,p2,Bell\n")),
        ("files", ("img/a.jpg", PHOTOS[0])),
        ("files", ("b.JPG", PHOTOS[1])),
        ("files", ("c.jpg", PHOTOS[2])),
    ]

    reply = retrieval.post("/index/images", files=files).json()

    assert places(retrieval) == {"p1": ("Vase", 1), "p2": ("Bell", 1)}
    assert [result["status"] for result in reply["results"]] == ["added", "added", "rejected"]


def test_a_duplicate_says_where_it_is(retrieval: AppClient):
    """The same photo under another place is not moved, and the reply says whose it is."""
    send(retrieval, pack({"hall1/a.jpg": PHOTOS[0], "hall3/c.jpg": PHOTOS[2]}))

    reply = send(retrieval, pack({"hall2/a.jpg": PHOTOS[0], "hall3/c.jpg": PHOTOS[2]}))

    assert [result["reason"] for result in reply["results"]] == ["already there, as a photo of 'hall1'", None]


@pytest.mark.parametrize(
    "name",
    [
        "颐和园\u3000长廊",
        "Musée\u00a0: salle 1",
        "Salle\u202f12",
        "می\u200cخواهم",
        "ශ්\u200dරී",
        "Kunst\u00adhalle",
        "קיר\u200f 1",
        "a\ufeffb",
        "a\u2060b",
        "👩\u200d🎨 \u2764\ufe0f",
        "\ue000 private",
        "\U000323af",
    ],
)
def test_letters_of_every_script_are_taken(retrieval: AppClient, name: str):
    """Spaces of any width, joiners, marks and letters newer than this Python name places, collections and files."""
    form = {"place_name": name, "collection": name}
    reply = retrieval.post("/index/images", files={"file": (f"{name}.jpg", PHOTOS[0])}, data=form).json()

    assert reply["results"][0]["status"] == "added", reply
    image = reply["results"][0]["image"]
    assert (image["place"]["name"], image["collection"], image["filename"]) == (name, name, f"{name}.jpg")
    assert (
        retrieval.request("PATCH", f"/index/images/{image['id']}", json={"place_name": f"{name} 2"}).status_code == 200
    )


@pytest.mark.parametrize("name", ["a\x07b", "line\nline", "tab\tb", "\x85", "a\x9fb"])
def test_control_characters_are_refused_by_the_field_that_holds_them(retrieval: AppClient, name: str):
    """The message names the field that was sent."""
    reply = retrieval.post("/index/images", files={"file": ("a.jpg", PHOTOS[0])}, data={"place_name": name}).json()

    assert reply["results"][0]["status"] == "rejected"
    assert "place_name" in reply["results"][0]["reason"]


def test_one_name_in_two_compositions_is_one_place(retrieval: AppClient):
    """Apple systems write the decomposed form; it looks the same and means the same."""
    for number, form in enumerate(("NFC", "NFD")):
        name = unicodedata.normalize(form, "Büste")
        form = {"place_name": name, "collection": name}
        retrieval.post("/index/images", files={"file": (f"{number}.jpg", PHOTOS[number])}, data=form)

    assert places(retrieval) == {"Büste": ("Büste", 2)}
    assert [collection["id"] for collection in retrieval.get("/index/collections").json()["collections"]] == ["Büste"]


def form(name: bytes, value: bytes, file_name: bytes = b'filename="a.jpg"') -> dict:
    parts = b'--X\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (
        name,
        value,
    ) + b'--X\r\nContent-Disposition: form-data; name="file"; %s\r\n\r\n%s\r\n--X--\r\n' % (file_name, PHOTOS[0])
    return {"content": parts, "headers": {"Content-Type": "multipart/form-data; boundary=X"}}


@pytest.mark.parametrize("text", ["青花瓷", "李喆", "五牛图（1号）", "簋", "A座", "iPhone照片", "鼋头渚"])
def test_a_form_of_chinese_windows_is_read(retrieval: AppClient, text: str):
    """What is no UTF-8 and reads as GB18030 is that."""
    reply = retrieval.post("/index/images", **form(b"place_name", text.encode("gbk"))).json()

    assert reply["results"][0]["image"]["place"]["name"] == text


@pytest.mark.parametrize(
    "data",
    [
        *(text.encode("cp1252") for text in ("Büste", "é", "Größe", "Créé", "Exposição", "EXPOSIÇÃO")),
        "故宮翠玉白菜".encode("big5"),
        b"\xff\xfe",
    ],
)
def test_a_form_in_an_unknown_encoding_is_refused(retrieval: AppClient, data: bytes):
    """Nothing is stored under other letters; the field and what was tried are named."""
    answer = retrieval.post("/index/images", **form(b"place_name", data))

    assert (answer.status_code, error_of(answer)["field"]) == (422, "place_name")
    assert "UTF-8 or GB18030" in error_of(answer)["message"]


@pytest.mark.parametrize(
    ("file_name", "read"),
    [
        (b"filename*=utf-8''%E7%85%A7%E7%89%87.jpg", "照片.jpg"),
        (b"filename=\"x.jpg\"; filename*=UTF-8'zh'%E7%85%A7.jpg", "照.jpg"),
        (b'filename="=?UTF-8?B?54Wn54mHLmpwZw==?="', "照片.jpg"),
        (b'filename="=?gb2312?Q?=D5=D5=C6=AC.jpg?="', "照片.jpg"),
        (b'filename="%E9%9D%92%E8%8A%B1.jpg"', "青花.jpg"),
        (b'filename="100%.jpg"', "100%.jpg"),
        (b'filename="' + "照片.jpg".encode("gbk") + b'"', "照片.jpg"),
        (b'filename="' + "Büste.jpg".encode("cp1252") + b'"', "Büste.jpg"),
        (b'filename="C:\\Users\\me\\a.jpg"', "a.jpg"),
        (b"filename=\"a; filename*=utf-8''b.jpg\"", "a; filename*=utf-8''b.jpg"),
        (
            b'filename="\xe9\xa2\x90\xe5\x92\x8c\xe5\x9b\xad\xe3\x80\x80\xe9\x95\xbf\xe5\xbb\x8a.jpg"',
            "颐和园\u3000长廊.jpg",
        ),
    ],
)
def test_file_names_in_any_notation_are_read(retrieval: AppClient, file_name: bytes, read: str):
    """As .NET, aiohttp, mail libraries and curl on Windows write them."""
    reply = retrieval.post("/index/images", **form(b"collection", b"names", file_name)).json()

    assert reply["results"][0]["filename"] == read


def test_a_blob_without_a_name_is_a_file(retrieval: AppClient):
    """A part that says that it is a picture is one, without a file name as well."""
    parts = b'--X\r\nContent-Disposition: form-data; name="file"\r\nContent-Type: image/jpeg\r\n\r\n%s\r\n--X--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=X"}

    reply = retrieval.post("/index/images", content=parts % PHOTOS[0], headers=headers).json()

    assert [(result["filename"], result["status"]) for result in reply["results"]] == [("photo", "added")]


def test_a_template_can_be_downloaded(retrieval: AppClient):
    """In both languages, and sent back it is understood."""
    answer = retrieval.get("/index/manifest-template", params={"language": "zh"})

    assert answer.headers["content-disposition"] == 'attachment; filename="manifest.csv"'
    assert answer.content.startswith(b"\xef\xbb\xbf" + "文件".encode())


@pytest.mark.parametrize(("method", "named"), [(9, "Deflate64"), (93, "Zstandard"), (99, "AES")])
def test_compressions_that_are_not_read_are_named(retrieval: AppClient, method: int, named: str):
    """What Explorer writes above 2 GB, for one, with what to do about it."""
    archive = bytearray(pack({"a.jpg": PHOTOS[0]}))
    archive[8] = archive[archive.rindex(b"PK\1\2") + 10] = method

    (result,) = send(retrieval, bytes(archive))["results"]

    assert f"is compressed by {named}" in result["reason"]


def test_what_is_planned_by_names_is_what_happens(retrieval: AppClient):
    """The page's question and the upload give the same places, for folders, archives and manifests."""
    archives = {
        "folders.zip": {
            "m/h1/a.jpg": PHOTOS[0],
            "m/h2/b.jpg": PHOTOS[1],
            "m/@eaDir/b.jpg/x.jpg": PHOTOS[2],
            "r.txt": b"x",
        },
        "flat.zip": {"flat/五牛图.jpg": PHOTOS[2], "flat/百骏图.jpg": PHOTOS[3]},
        "listed.zip": {
            "manifest.csv": "file,place_name\na.jpg,Vase\nq.jpg,Bell\n",
            "a.jpg": PHOTOS[4],
            "b.jpg": PHOTOS[5],
        },
    }
    for name, entries in archives.items():
        archive = pack(entries)
        start = int.from_bytes(archive[-6:-2], "little")
        source = {"name": name[:-4], "directory": _base64(archive[start:-22])}
        by_paths = {"name": name[:-4], "paths": list(entries)}
        for asked in (source, by_paths):
            question = {"sources": [asked]}
            reply = retrieval.post("/index/plan", json=question).json()
            if reply["manifests_needed"]:
                ((number, file),) = reply["manifests_needed"]
                data = _base64(str(entries[list(entries)[file]]).encode())
                question["manifests"] = [{"source": number, "file": file, "data": data}]
                reply = retrieval.post("/index/plan", json=question).json()
            dry = send(retrieval, archive, name, dry_run="true")
            assert reply["grouping"] == dry["grouping"]
            named = [{"id": p["id"], "name": p["name"], "images": p["images"]} for p in reply["places"]]
            assert named == [place for place in dry["first_places"] if place["id"] is not None]


def test_halves_of_characters_in_names_fail_no_plan(retrieval: AppClient):
    """A name on Windows may hold one, which no reply can."""
    question = r'{"sources": [{"name": "x\ud800", "paths": ["h\ud83d1/a.jpg", "h2/b.jpg"]}]}'

    reply = retrieval.post("/index/plan", content=question, headers={"content-type": "application/json"})

    assert reply.status_code == 200, reply.text
    assert [place["id"] for place in reply.json()["places"]] == ["h\ufffd1", "h2"]


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
