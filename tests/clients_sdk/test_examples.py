"""The generated clients, and the examples that users copy, against the real product: ``make test-clients``."""

import base64
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from documented import blocks
from e2e.product import Product, start_product
from fakes.images import draw_place, see_again
from servers.receiver import Receiver, receiving

from contracts.webhooks import FeedbackGiven

ROOT = Path(__file__).parents[2]
SDK = ROOT / "clients_sdk"
PYTHON_TOOLS = ROOT / ".venv" / "client-tools" / "bin"
NODE_MODULES = SDK / "typescript" / "node_modules"
PRINTED_IN_DOCS = "http://127.0.0.1:8000"
ENOUGH_S = 120
WECHAT = """
    const { readFileSync } = require("node:fs");
    global.wx = {
      uploadFile({ url, filePath, name, formData, header, success, fail }) {
        const form = new FormData();
        for (const [field, value] of Object.entries(formData)) form.append(field, value);
        form.append(name, new Blob([readFileSync(filePath)]), filePath);
        fetch(url, { method: "POST", headers: header, body: form })
          .then(async (answer) => success({ statusCode: answer.status, data: await answer.text() }), fail);
      },
      request({ url, method, header, data, success, fail }) {
        const headers = { "content-type": "application/json", ...header };
        fetch(url, { method, headers, body: JSON.stringify(data) })
          .then(async (answer) => success({ statusCode: answer.status, data: await answer.json() }), fail);
      },
    };
"""
JPEG, PNG = b"\xff\xd8\xff\xe0", b"\x89PNG"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """A webhook on this machine."""
    with receiving() as running:
        yield running


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[Product]:
    """The product with that webhook, and with places other than the examples' gate."""
    webhook = {"M1_WEBHOOK_URL": f"http://127.0.0.1:{receiver.port}/", "M1_WEBHOOK_PRIVATE": "true"}
    secret = "whsec_" + base64.b64encode(bytes(32)).decode()
    with start_product(tmp_path_factory.mktemp("product"), **webhook, M1_WEBHOOK_SECRET=secret) as running:
        for seed in (1, 2):
            photo = tmp_path_factory.mktemp("photos") / "photo.jpg"
            draw_place(seed).save(photo)
            running.add("default", f"place{seed}", [("photo.jpg", photo.read_bytes())])
        yield running


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the clients, generated now."""
    if not (PYTHON_TOOLS / "openapi-python-client").exists():
        pytest.skip("the generators are not installed: the clients are NOT tested; `make test-clients` installs them")
    folder = tmp_path_factory.mktemp("clients")
    subprocess.run([sys.executable, "-m", "clients_sdk.generate", "--output", folder], cwd=ROOT, check=True)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the photos of the examples: of the gate, by its owner and by a visitor."""
    draw_place(7).save(tmp_path / "front.jpg")
    see_again(draw_place(7), 2).image.save(tmp_path / "visitor.jpg")
    return tmp_path


def example(document: str, language: str, product: Product, number: int = 0) -> str:
    """A block of code of a document, for this product."""
    block = blocks(document, language)[number]
    assert PRINTED_IN_DOCS in block
    return block.replace(PRINTED_IN_DOCS, product.address)


def output_of(command: list[str | Path], folder: Path, **environment: str) -> str:
    """What a command prints in a folder; its failure is that of the test."""
    ran = subprocess.run(
        command, cwd=folder, env={"PATH": "/usr/bin:/bin", **environment}, capture_output=True, text=True,
        timeout=ENOUGH_S, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def needs(*programs: str) -> None:
    """Skip, and say so, where a program is missing."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed: this example is NOT run")


def test_the_example_of_the_python_client_finds_the_gate(product: Product, clients: Path, folder: Path):
    """A photo is added and found with the generated package alone, as its README says."""
    code = example("clients_sdk/python/README.md", "python", product)

    printed = output_of([PYTHON_TOOLS / "python", "-c", code], folder, PYTHONPATH=str(clients / "python" / "generated"))

    assert printed == "South Gate\n"


def test_the_python_client_returns_pictures_as_bytes(product: Product, clients: Path, folder: Path):
    """Previews, originals and both QR codes are files and not None."""
    code = (
        "from semantic_image_matcher_client import Client\n"
        "from semantic_image_matcher_client.api.collections import get_qr_code, get_qr_code_png\n"
        "from semantic_image_matcher_client.api.gallery import get_original, get_preview, list_images\n"
        f"client = Client(base_url='{product.address}/v1')\n"
        "image = list_images.sync(client=client, limit=1).images[0].id\n"
        "files = [part.sync(image, client=client) for part in (get_preview, get_original)]\n"
        "files += [code.sync('default', client=client) for code in (get_qr_code, get_qr_code_png)]\n"
        "print([file.payload.read(4) for file in files])\n"
    )

    printed = output_of([PYTHON_TOOLS / "python", "-c", code], folder, PYTHONPATH=str(clients / "python" / "generated"))

    assert printed == f"{[JPEG, JPEG, b'<?xm', PNG]}\n"


def test_feedback_by_the_python_client_reaches_the_webhook(
    product: Product, clients: Path, folder: Path, receiver: Receiver
):
    """The integrator's way: a match, feedback on it, and the event about it."""
    code = (
        "from semantic_image_matcher_client import Client\n"
        "from semantic_image_matcher_client.api.feedback import give_feedback\n"
        "from semantic_image_matcher_client.api.matching import match\n"
        "from semantic_image_matcher_client.models import FeedbackRequest, FeedbackRequestVerdict, MatchBody\n"
        "from semantic_image_matcher_client.types import File\n"
        f"client = Client(base_url='{product.address}/v1')\n"
        "answer = match.sync(client=client, body=MatchBody(file=[File(open('visitor.jpg', 'rb'), 'visitor.jpg')]))\n"
        "body = FeedbackRequest(request_id=answer.request_id, verdict=FeedbackRequestVerdict.RIGHT)\n"
        "print(give_feedback.sync(client=client, body=body).request_id)\n"
    )

    printed = output_of([PYTHON_TOOLS / "python", "-c", code], folder, PYTHONPATH=str(clients / "python" / "generated"))

    event = FeedbackGiven.model_validate_json(receiver.next().body)
    assert printed == f"{event.data.request_id}\n"
    assert event.data.verdict == "right"


def test_the_example_of_the_typescript_client_is_typed_and_finds_the_place(
    product: Product, clients: Path, folder: Path
):
    """The README's program is accepted by the strict compiler with the generated types, and runs."""
    needs("node")
    if not (clients / "typescript" / "generated").exists():
        pytest.skip("openapi-typescript is not installed: the TypeScript client is NOT tested")
    shutil.copytree(clients / "typescript" / "generated", folder / "generated")
    (folder / "node_modules").symlink_to(NODE_MODULES)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "example.ts").write_text(example("clients_sdk/typescript/README.md", "ts", product))
    see_again(draw_place(1), 2).image.save(folder / "visitor.jpg")

    options = ["--strict", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler"]
    output_of([NODE_MODULES / ".bin" / "tsc", *options, "--types", "node", "example.ts"], folder)

    assert output_of(["node", "example.js"], folder) == "place1\n"


@pytest.mark.parametrize("document", ["docs/api.md", "docs/api.zh-CN.md"])
def test_the_examples_of_the_documents_find_the_gate(product: Product, folder: Path, document: str):
    """curl, Python and JavaScript of docs/api.md get the same answer, and events end with it."""
    needs("curl", "node")
    (folder / "example.mjs").write_text(example(document, "js", product))

    asked = output_of(["sh", "-ec", example(document, "sh", product)], folder)
    created = output_of(["sh", "-ec", example(document, "sh", product, 1)], folder)
    events = output_of(["sh", "-ec", example(document, "sh", product, 2)], folder)

    assert '"matched":true,"answer":"match","place":{"id":"gate","name":"South Gate"' in asked
    assert created.startswith('{"id":"east"')  # of the second document, the reply to the first
    assert events.startswith("event: candidates")
    assert '"name":"South Gate"' in events.rpartition("event: result")[2]
    assert output_of([sys.executable, "-c", example(document, "python", product)], folder) == "South Gate\n"
    assert output_of(["node", "example.mjs"], folder) == "South Gate\n"


def test_the_sample_for_wechat_finds_the_place(product: Product, folder: Path):
    """Its page shows the place, confirms it, and says in Chinese what a server refuses.

    The functions of WeChat are played with Node's fetch: a form with one file, and JSON. The answer is made a "maybe"
    before it is confirmed: only a photo near the threshold would be one.
    """
    needs("node")
    shutil.copytree(SDK / "wechat-miniprogram", folder, dirs_exist_ok=True)
    (folder / "config.js").write_text(f"module.exports = {{ server: {product.address!r}, collection: 'default' }};")
    see_again(draw_place(1), 2).image.save(folder / "visitor.jpg")
    (folder / "no-photo.jpg").write_text("no photo")
    (folder / "program.js").write_text(
        WECHAT
        + """
        const { giveFeedback } = require("./api");
        let page;
        global.Page = (found) => { page = { ...found, setData: (data) => Object.assign(page.data, data) }; };
        require("./pages/match/match");
        const choose = async (photo) => {
          wx.chooseMedia = async () => ({ tempFiles: [{ tempFilePath: photo }] });
          await page.choose();
        };
        (async () => {
          await choose("visitor.jpg");
          console.log(page.data.place.shown.name);
          await page.confirm();
          console.log(page.data.message);
          page.data.answer = { ...page.data.answer, answer: "maybe", matched: false, place: null };
          page.data.message = "";
          await page.confirm();
          console.log(page.data.message);
          const { request_id: id } = page.data.answer;
          console.log((await giveFeedback(id, "not_in_collection")).verdict);
          await choose("no-photo.jpg");
          console.log(page.data.message);
        })();
    """
    )

    assert output_of(["node", "program.js"], folder).splitlines() == [
        "place1",
        "谢谢反馈",
        "谢谢反馈",
        "not_in_collection",
        "不支持这种图片格式，请换一张照片",
    ]
