"""The page's reader of ZIP files, run by node: what the server decides by names has to be about the same files."""

import json
import shutil
import struct
import subprocess
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from fakes.images import draw_place, encode
from name_tables import CASES, archive_of, decoded, pack

import gateway
from contracts.images import AddFields
from contracts.upload_plans import PlanQuestion
from services.retrieval.replies.plans import answer_plan
from services.retrieval.uploads.archives import ArchiveLimits, submit_archive

INGEST = Path(gateway.__file__).parent / "web" / "ingest"
READ_ENTRIES = """
import { readFile } from "node:fs/promises";
const { readZip } = await import(process.argv[1] + "/zip.js");
const { directory, entries } = await readZip(new File([await readFile(process.argv[2])], "a.zip"));
const files = [];
for (const { isNamed, size, load } of entries) {
  try {
    files.push({ isNamed, size, text: await (await load("a/b")).text() });
  } catch (error) {
    files.push({ isNamed, size, code: error.code });
  }
}
console.log(JSON.stringify({ directory: Buffer.from(directory).toString("base64"), files }));
"""
SELECT = """
import { readFile } from "node:fs/promises";
const { fromFiles } = await import(process.argv[1] + "/sources.js");
const { sources } = await fromFiles([new File([await readFile(process.argv[2])], "a.zip")]);
const encode = (bytes) => Buffer.from(bytes).toString("base64");
const questions = sources.map(({ name, directory, photos }) => ({ name, photos, directory: encode(directory) }));
console.log(JSON.stringify(questions));
"""


def run_page_code(program: str, tmp_path: Path, archive: bytes) -> Any:
    """Let the page's code look at an archive."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed: the page's ZIP reader is NOT checked")
    (tmp_path / "a.zip").write_bytes(archive)
    shutil.copytree(INGEST, tmp_path / "ingest", dirs_exist_ok=True)
    # Without it, node takes a .js file for the older kind of module.
    (tmp_path / "ingest" / "package.json").write_text('{"type": "module"}')
    answer = subprocess.run(
        [node, "--input-type=module", "-e", program, str(tmp_path / "ingest"), str(tmp_path / "a.zip")],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return json.loads(answer.stdout)


def read(tmp_path: Path, archive: bytes) -> dict[str, Any]:
    """The directory and the entries of an archive, as the page reads them."""
    return run_page_code(READ_ENTRIES, tmp_path, archive)


def planned(directory: str) -> list[str]:
    """The names that the server reads in a directory that the page has found."""
    reply = answer_plan(PlanQuestion.model_validate({"sources": [{"directory": directory}]}), 1000)
    return [file.path for file in reply.files[0]]


@pytest.mark.parametrize("comment", CASES)
def test_page_and_server_read_the_same_names(tmp_path: Path, comment: str):
    """One table of names as programs write them, through the page's reader and the server's rule."""
    case = CASES[comment]
    contents = [f"content {number}".encode() for number in range(len(case["names"]))]

    found = read(tmp_path, archive_of(case, contents))

    assert planned(found["directory"]) == decoded(case)
    assert [file["text"].encode() for file in found["files"]] == contents


def test_large_archives_are_read(tmp_path: Path):
    """ZIP64, as every program writes above 4 GB and some always."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in ("hall1/a.jpg", "hall2/b.jpg"):
            with archive.open(name, "w", force_zip64=True) as file:
                file.write(name.encode())
    data = bytearray(buffer.getvalue())
    end = data.rindex(b"PK\5\6")
    count, length, start = struct.unpack_from("<HLL", data, end + 10)
    large_end = struct.pack("<4sQHHLLQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, count, count, length, start)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, end, 1)
    struct.pack_into("<HHLL", data, end + 8, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
    data[end:end] = large_end + locator
    # The sizes of the second entry stand in its extra field.
    second = data.rindex(b"PK\1\2")
    packed, size = struct.unpack_from("<LL", data, second + 20)
    header = struct.unpack_from("<L", data, second + 42)[0]
    name_length, extra_length = struct.unpack_from("<HH", data, second + 28)
    extra = struct.pack("<HHQQQ", 1, 24, size, packed, header)
    struct.pack_into("<LL", data, second + 20, 0xFFFFFFFF, 0xFFFFFFFF)
    struct.pack_into("<L", data, second + 42, 0xFFFFFFFF)
    struct.pack_into("<H", data, second + 30, len(extra))
    data[second + 46 + name_length : second + 46 + name_length + extra_length] = extra
    grown = len(extra) - extra_length
    large = data.index(b"PK\6\6")
    struct.pack_into("<Q", data, large + 40, length + grown)
    struct.pack_into("<Q", data, data.index(b"PK\6\7") + 8, large)

    found = read(tmp_path, bytes(data))

    assert planned(found["directory"]) == ["hall1/a.jpg", "hall2/b.jpg"]
    assert [file["text"] for file in found["files"]] == ["hall1/a.jpg", "hall2/b.jpg"]


def test_an_archive_behind_something_else_is_read(tmp_path: Path):
    """A program that unpacks itself is an archive all the same."""
    found = read(tmp_path, b"MZ a program" + pack({"a/b": b"text", "c.jpg": b"photo"}))

    assert [(file["isNamed"], file["text"]) for file in found["files"]] == [(False, "text"), (True, "photo")]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_page_and_server_know_a_photo_by_its_content(tmp_path: Path, method: int):
    """Photos whose names do not say so, with an ending of something else or none, are taken through either door."""
    photo, heic = encode(draw_place(1)), b"\0\0\0\x18ftypABCD\0\0\0\0mif1heic" + bytes(64)
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in {
            "export/hall/正面": photo,
            "export/hall/b.JPG": photo,
            "export/hall/IMG_1.jpg_original": photo,
            "export/garden/no.5": heic,
            "export/garden/notes.txt": b"no photo" * 100,
            "export/garden/no photo": bytes(1000),
        }.items():
            archive.writestr(name, data)
    wanted = {"正面": "hall", "b.JPG": "hall", "IMG_1.jpg_original": "hall", "no.5": "garden"}

    plan = answer_plan(PlanQuestion(sources=run_page_code(SELECT, tmp_path, buffer.getvalue())), 1000)
    sent = submit_archive("a.zip", buffer, ArchiveLimits(100, 10**8, 10**7, 10**7), AddFields())

    by_page = {
        file.path.rpartition("/")[2]: plan.places[file.place].id for file in plan.files[0] if file.kind == "photo"
    }
    by_server = {each.filename: each.place.place_id for each in sent.submissions if each.is_named}
    assert by_page == wanted
    assert by_server == wanted


def test_what_cannot_be_unpacked_says_why(tmp_path: Path):
    """Encrypted, of another compression, or damaged: a code for which the page has a sentence."""
    encrypted, deflate64 = (bytearray(pack({"a.jpg": b"photo"})) for _ in range(2))
    encrypted[encrypted.rindex(b"PK\1\2") + 8] |= 1
    deflate64[deflate64.rindex(b"PK\1\2") + 10] = 9
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jpg", b"photo" * 100)
    damaged = bytearray(buffer.getvalue())
    damaged[35:40] = b"\xff" * 5

    codes = [read(tmp_path, bytes(data))["files"][0]["code"] for data in (encrypted, deflate64, damaged)]

    assert codes == ["zip_encrypted", "zip_method", "zip_damaged"]
