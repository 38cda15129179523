"""Manifests as spreadsheet programs write them."""

import csv
import io

import pytest

from core.building.manifest_rows import ManifestRow
from core.building.manifests import manifest_template, parse_manifest, write_manifest
from core.building.text_encodings import is_utf8
from core.errors import InvalidRequest
from core.gallery.validation import MOST_LANGUAGES
from core.gallery.values import TextChange

ROW = ("hall1/a.jpg", "h1", "长廊")


def read(data: bytes) -> tuple[str, str, str]:
    (row,) = parse_manifest(data).rows
    return row.file, row.place_id, row.place_name


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("file,place_id,place_name\r\nhall1/a.jpg,h1,长廊\r\n,,\r\n,,\r\n", id="cleared rows"),
        pytest.param("file;place_id;place_name\r\nhall1/a.jpg;h1;长廊\r\n;;\r\n", id="semicolons"),
        pytest.param("file\tplace_id\tplace_name\nhall1/a.jpg\th1\t长廊\n", id="tabs"),
        pytest.param("sep=,\r\nfile,place_id,place_name\r\nhall1/a.jpg,h1,长廊\r\n", id="sep="),
        pytest.param("sep=;\nfile;place_id;place_name\nhall1/a.jpg;h1;长廊\n", id="sep=;"),
        pytest.param('"sep=\t"\nfile\tplace_id\tplace_name\nhall1/a.jpg\th1\t长廊\n', id="sep=tab"),
        pytest.param("File,Place_ID,PLACE NAME\nhall1/a.jpg,h1,长廊\n", id="case of headers"),
        pytest.param(" file , place_id ,place-name\n hall1/a.jpg , h1 , 长廊 \n", id="blanks"),
        pytest.param("文件,编号,名称\nhall1/a.jpg,h1,长廊\n", id="Chinese headers"),
        pytest.param("文件名,展品编号,展品名称\nhall1/a.jpg,h1,长廊\n", id="longer Chinese headers"),
        pytest.param("Filename,ID,Title\nhall1/a.jpg,h1,长廊\n", id="other English headers"),
        pytest.param("file,place_id,place_name\rhall1/a.jpg,h1,长廊\r", id="CR only"),
        pytest.param("\n\n,,\nfile,place_id,place_name\n\nhall1/a.jpg,h1,长廊\n\n", id="blank lines"),
        pytest.param("file,place_id,place_name\nhall1\\a.jpg,h1,长廊\n", id="backslashes"),
        pytest.param("file,place_id,place_name\n./hall1/a.jpg,h1,长廊", id="leading dot"),
        pytest.param("place_name,name,file,id,place_id\n长廊,x,hall1/a.jpg,y,h1\n", id="own names go first"),
        pytest.param("file,place_id,place_name,note\nhall1/a.jpg,h1,长廊,\n,,,checked by A.\n", id="a remark"),
    ],
)
@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "gb18030"])
def test_one_manifest_in_many_forms(text: str, codec: str):
    """Delimiters, headers, blank rows, line ends and encodings change nothing."""
    assert read(text.encode(codec)) == ROW


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        ("文件,名称\na.jpg,青花瓷瓶\n", "gb18030"),
        ("file,place_name\na.jpg,長廊與花園\n", "big5"),
        ("file;place_name\na.jpg;Büste\nb.jpg;Café Größe\n", "cp1252"),
        ("file,place_name\na.jpg,Musée\n", "utf-16"),
        ("file,place_name\na.jpg,展示室の鐘楼\n", "cp932"),
    ],
)
def test_the_encoding_is_told(text: str, codec: str):
    """What is no UTF-8 is read as what it is, and named."""
    parsed = parse_manifest(text.encode(codec))

    assert parsed.encoding == codec
    assert parsed.rows[0].place_name == text.splitlines()[1][6:]


def test_without_an_id_name_and_description_count():
    """A name serves as the id, as it does in a form; a description alone makes a place of its own."""
    named, described, bare = parse_manifest(b"file,place_name,description\na.jpg,Vase,Blue\nb.jpg,,Red\nc.jpg,,\n").rows

    assert (named.place().place_id, named.place().name, named.place().description) == ("Vase", "Vase", "Blue")
    assert (described.place().name, described.place().description) == ("b", "Red")
    assert described.named_place == ""
    assert bare.place() is None


def test_columns_without_a_use_are_told():
    """Nothing of a manifest is dropped silently."""
    assert parse_manifest(b"file,artist,year\na.jpg,X,1900\n").unused_columns == ("artist", "year")


def test_numbers_with_a_comma_are_numbers():
    """Where cells are separated by semicolons, numbers have a comma."""
    (row,) = parse_manifest(b"file;lat;lon\na.jpg;39,9163;-116.3972\n").rows

    assert (row.latitude, row.longitude) == (39.9163, -116.3972)


def test_cells_may_hold_line_ends():
    """A description of several paragraphs stays one."""
    (row,) = parse_manifest(b'file,description\r\na.jpg,"one\r\n\r\ntwo, and more"\r\n').rows

    assert row.description == "one\n\ntwo, and more"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_template_is_a_manifest(language: str):
    """It begins with the mark by which Excel knows UTF-8, and every header means something."""
    data = manifest_template(language)
    parsed = parse_manifest(data)

    assert data.startswith(b"\xef\xbb\xbf")
    assert parsed.unused_columns == ()
    assert parsed.rows[0].named_place
    assert len(next(csv.reader(io.StringIO(data.decode("utf-8-sig"))))) == 6


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_quoted_headers_are_read_with_any_delimiter(delimiter: str):
    """Programs that quote every cell do so in the header, too."""
    rows = [("文件", "编号", "名称"), ("hall1/a.jpg", "h1", "长廊")]
    text = "".join(delimiter.join(f'"{cell}"' for cell in row) + "\r\n" for row in rows)

    assert read(text.encode("utf-8-sig")) == ROW


@pytest.mark.parametrize("file", [".", "./", ".\\", "", "/", "..", "C:\\a.jpg"])
def test_a_path_that_names_no_file_inside_is_refused(file: str):
    """The line is named, and what would be accepted."""
    with pytest.raises(InvalidRequest, match=r"line 2: file .* give one such as"):
        parse_manifest(f"file,place_id\n{file},h1\n".encode())


@pytest.mark.parametrize("cell", ['"Vase', '"a "b" c"', "x" * 200_000])
def test_a_cell_that_cannot_be_read_is_refused_in_plain_sentences(cell: str):
    """The line is named, and how quotation marks are written."""
    with pytest.raises(InvalidRequest, match=r"line \d+: a cell is longer than 131,072 characters, or its quotation"):
        parse_manifest(f"file,place_name\na.jpg,{cell}\n".encode())


@pytest.mark.parametrize("name", ["Kāʻanapali", "обʼєкт", "Qurʾān – ʿAbbāsid", "µέτρο und Größe Ελλάδα"])
def test_utf8_with_letters_of_other_scripts_is_utf8(name: str):
    """An apostrophe that is a letter, and text in two scripts, are no sign of another encoding."""
    parsed = parse_manifest(f"file,place_name\na.jpg,{name}\n".encode("utf-8-sig"))

    assert (parsed.encoding, parsed.rows[0].place_name) == ("utf-8", name)
    assert is_utf8([name.encode()])
    assert not is_utf8(["展品".encode("gb18030")])


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_written_manifest_is_read_as_it_was(language: str):
    """Whatever the cells hold: quotes, lines, a leading zero, facts, any language; it begins with the mark of UTF-8."""
    english = TextChange("Corridor", '"Long";\nof wood', is_machine_translated=True, transcript="*Long*, she says.")
    japanese = TextChange(description="1750", is_machine_translated=False)
    rows = (
        ManifestRow(
            "a.jpg", 3, "0012", "长廊", 'A "long"\ncorridor; 728 m', {"year": 1750, "部分": ["一", "二"]}, 39.9, -0.5
        ),
        ManifestRow("b.jpg", 4, "1/2", "=SUM(A1)", is_hidden=True),
        ManifestRow("c.jpg", 6, "x", "- a dash -", texts={"en": english, "ja": japanese}, is_hidden=False),
        ManifestRow("d.jpg", 7, "y", recordings={"en": "audio/1.mp3", "fr": "1.mp3"}),
    )

    written = write_manifest(rows, language)
    parsed = parse_manifest(written)

    assert written.startswith(b"\xef\xbb\xbf")
    assert (parsed.rows, parsed.unused_columns, parsed.encoding) == (rows, (), "utf-8")


def test_a_manifest_of_as_many_languages_as_a_place_may_have_is_read():
    """With all columns of every language."""
    tags = [f"en-x-{number}" for number in range(MOST_LANGUAGES)]
    row = ManifestRow(
        "a.jpg", 2, "vase", texts={tag: TextChange("Vase", is_machine_translated=False) for tag in tags},
        recordings=dict.fromkeys(tags, "audio/a.mp3"), is_hidden=False,
    )  # fmt: skip

    assert parse_manifest(write_manifest([row], "en")).rows == (row,)


@pytest.mark.parametrize(
    "cell", ["0012", "1/2", "2-3", "1e5", "12345678901234567", "=1+1", "+1", "-1", "@x", "\uff1d1+1"]
)
def test_cells_stay_text_in_a_spreadsheet(cell: str):
    """What a program would take for a number, a date or a formula begins with a tab."""
    sheet = write_manifest([ManifestRow("a.jpg", 2, cell, "A 12")], "en").decode("utf-8-sig")

    assert next(iter(csv.DictReader(io.StringIO(sheet))))["place_id"] == f"\t{cell}"
    assert next(iter(csv.DictReader(io.StringIO(sheet))))["place_name"] == "A 12"


@pytest.mark.parametrize(
    ("cell", "is_hidden"), [("yes", True), ("TRUE", True), ("是", True), ("No", False), ("0", False), ("", None)]
)
def test_a_manifest_says_which_places_are_hidden(cell: str, is_hidden: bool | None):
    """In the words of any language; an empty cell says nothing, and a place is shown unless something is said."""
    (row,) = parse_manifest(f"file,place_id,隐藏\na.jpg,p,{cell}\n".encode()).rows

    assert (row.is_hidden, row.place().is_hidden) == (is_hidden, bool(is_hidden))


def test_a_cell_that_is_neither_yes_nor_no_is_named():
    """With its line and its column, so that nothing is shown by a slip of the pen."""
    with pytest.raises(InvalidRequest, match="line 3: hidden 'perhaps' is neither yes nor no"):
        parse_manifest(b"file,hidden\na.jpg,yes\nb.jpg,perhaps\n")
