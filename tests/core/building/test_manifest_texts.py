"""Columns of a manifest in further languages."""

import pytest

from core.building.corrections import corrections
from core.building.manifests import parse_manifest
from core.gallery.values import TextChange
from core.results import PlaceText


def texts_of(manifest: str):
    """The texts of the places that the rows name."""
    return [row.place().texts for row in parse_manifest(manifest.encode()).rows]


@pytest.mark.parametrize(
    "header",
    [
        "file,place_id,place_name.en,description.en,place_name.zh-Hant",
        "FILE,Place ID,Place_Name.EN,Description.EN,PLACE NAME.zh-hant",
        "文件,编号,名称.en,说明.en,名称.zh-Hant",
        "file,id,name.en,text.en,title．ZH-HANT",
    ],
    ids=["own names", "letter case", "Chinese", "other names, full-width dot"],
)
def test_a_column_has_the_language_behind_its_dot(header: str):
    """Each way to write the headers means the same; an empty cell says nothing."""
    manifest = f"{header}\na.jpg,vase,Vase,Blue and white,青花瓶\nb.jpg,bell,,,\n"

    assert texts_of(manifest) == [{"en": PlaceText("Vase", "Blue and white"), "zh-Hant": PlaceText("青花瓶")}, {}]
    assert parse_manifest(manifest.encode()).unused_columns == ()


@pytest.mark.parametrize("header", ["audio.en,audio.zh-Hant", "AUDIO.EN,录音.zh-hant", "recording.en,語音．ZH-HANT"])
def test_a_column_names_the_recording_in_its_language(header: str):
    """Its path is read as that of a photo; an empty cell says nothing; a recording alone describes a place."""
    manifest = f"file,{header}\na.jpg, audio\\guide.mp3 ,./b.ogg\nc.jpg,,\n"

    parsed = parse_manifest(manifest.encode())

    assert [dict(row.recordings) for row in parsed.rows] == [{"en": "audio/guide.mp3", "zh-Hant": "b.ogg"}, {}]
    assert [row.describes for row in parsed.rows] == [True, False]
    assert parsed.unused_columns == ()


def test_a_column_of_no_language_is_named_as_unused():
    """Neither what is no language tag nor what has no texts is taken for one."""
    manifest = b"file,place_name,description.old_one,latitude.en,name.\na.jpg,Vase,x,1,y\n"

    parsed = parse_manifest(manifest)

    assert parsed.unused_columns == ("description.old_one", "latitude.en", "name.")
    assert parsed.rows[0].place().name == "Vase"


@pytest.mark.parametrize(
    ("cell", "is_machine"), [("yes", True), ("TRUE", True), ("1", True), ("是", True), ("no", False), ("", False)]
)
def test_a_text_is_marked_as_a_machines(cell: str, is_machine: bool):
    """The mark belongs to the text of its language in the same row."""
    manifest = f"file,place_id,description.en,machine_translated.en,description.fr\na.jpg,vase,Blue,{cell},Bleu\n"

    (texts,) = texts_of(manifest)

    assert texts == {"en": PlaceText("", "Blue", is_machine_translated=is_machine), "fr": PlaceText("", "Bleu")}


def test_a_place_without_a_name_of_its_own_has_that_of_a_further_language():
    """Before its id, which nobody would read."""
    (row,) = parse_manifest(b"file,place_id,place_name.en\na.jpg,0012,Vase\n").rows

    assert (row.place().place_id, row.place().name) == ("0012", "Vase")
    assert row.place_name == ""


def test_rows_of_one_place_are_joined():
    """Of several rows, the first that says something counts, field by field; nothing is said of other fields."""
    rows = parse_manifest(
        b"file,place_id,place_name.en,description.en,machine_translated.en,Transcript.EN\n"
        b"a.jpg,vase,Vase,,,\nb.jpg,vase,A vase,Blue,yes,Said\nc.jpg,bell,,,yes,\n"
    ).rows

    changes = corrections((row.place_id, row) for row in rows)

    assert changes.keys() == {"vase"}
    assert changes["vase"].texts == {"en": TextChange("Vase", "Blue", is_machine_translated=False, transcript="Said")}
