"""The page's reader of ZIP files, run by node: what the server decides by names has to be about the same files."""

import json
import shutil
import struct
import subprocess
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from name_tables import CASES, archive_of, decoded, pack

import gateway
from contracts.upload_plans import PlanQuestion
from services.retrieval.replies.plans import answer_plan

READER = Path(gateway.__file__).parent / "web" / "ingest" / "zip.js"
PROGRAM = """
import { readFile } from "node:fs/promises";
const { readZip } = await import(process.argv[1]);
const { directory, entries } = await readZip(new File([await readFile(process.argv[2])], "a.zip"));
const files = [];
for (const { isNameless, size, load } of entries) {
  try {
    files.push({ isNameless, size, text: await (await load("a/b")).text() });
  } catch (error) {
    files.push({ isNameless, size, code: error.code });
  }
}
console.log(JSON.stringify({ directory: Buffer.from(directory).toString("base64"), files }));
"""


def read(tmp_path: Path, archive: bytes) -> dict:
    """Let the page's code read an archive."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed: the page's ZIP reader is NOT checked")
    (tmp_path / "a.zip").write_bytes(archive)
    # Without a package.json above it, node takes a .js file for the older kind of module.
    shutil.copy(READER, tmp_path / "zip.mjs")
    answer = subprocess.run(
        [node, "--input-type=module", "-e", PROGRAM, str(tmp_path / "zip.mjs"), str(tmp_path / "a.zip")],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return json.loads(answer.stdout)


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

    assert [(file["isNameless"], file["text"]) for file in found["files"]] == [(True, "text"), (False, "photo")]


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
