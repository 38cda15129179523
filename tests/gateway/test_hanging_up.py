"""A visitor who hangs up costs nothing more, wherever their match is: the whole product, counting its work."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest
from fakes.encoders import ThumbnailEncoder
from fakes.images import draw_place, encode
from fakes.verifiers import ScriptedVerifier
from in_process import AppClient
from PIL import Image

from core.results import Encodings, Photo, Verdict
from core.runtime.cancellation import raise_if_cancelled
from gateway.settings import GatewaySettings
from services.retrieval.app import create_app as create_retrieval
from services.retrieval.settings import RetrievalSettings
from services.verifier.app import create_app as create_verifier
from services.verifier.settings import VerifierSettings
from standalone.app import compose

PHOTO = encode(draw_place(1))


class Work:
    """What the models did, and a barrier at which they can be held."""

    def __init__(self) -> None:
        self.encoded = 0
        self.compared = 0
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.go_on.set()

    def hold(self) -> None:
        """Say that work has begun, and wait where the test says so."""
        self.begun.release()
        self.go_on.wait(30)


class CountingEncoder(ThumbnailEncoder):
    """Counts photos."""

    def __init__(self, work: Work) -> None:
        super().__init__()
        self.work = work

    def encode(self, images: Sequence[Image.Image]) -> Encodings:
        self.work.hold()
        self.work.encoded += len(images)
        return super().encode(images)


class CountingVerifier(ScriptedVerifier):
    """Compares one candidate after another, and looks up between them."""

    def __init__(self, work: Work) -> None:
        super().__init__()
        self.work = work

    def verify(self, query: Photo, candidates: Sequence[Photo], **options) -> list[Verdict]:
        for _ in candidates:
            raise_if_cancelled()
            self.work.hold()
            self.work.compared += 1
        return super().verify(query, candidates, **options)


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def product(tmp_path: Path, work: Work) -> Iterator[AppClient]:
    """The product with five places; the counts begin once it is ready."""
    retrieval = create_retrieval(RetrievalSettings(data_dir=tmp_path), encoder=CountingEncoder(work))
    verifier = create_verifier(VerifierSettings(data_dir=tmp_path), verifier=CountingVerifier(work))
    with AppClient(compose(GatewaySettings(), retrieval=retrieval, verifier=verifier)) as client:
        for service in (retrieval, verifier):
            client.call(service.state.loading.finished)
        for seed in range(1, 6):
            client.post("/index/images", files={"file": (f"{seed}.jpg", encode(draw_place(seed)))})
        work.encoded = work.compared = 0
        work.begun = threading.Semaphore(0)
        work.go_on.clear()
        yield client
        work.go_on.set()


def test_photos_in_the_queue_are_never_encoded(product: AppClient, work: Work):
    """Of four visitors who leave while the first is encoded, the others cost nothing, and nothing is verified."""

    async def scenario() -> None:
        transport = httpx.ASGITransport(product.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=None) as http:
            asking = [asyncio.create_task(http.post("/match", files={"file": ("q.jpg", PHOTO)})) for _ in range(4)]
            assert await asyncio.to_thread(work.begun.acquire, timeout=20)
            for task in asking:
                task.cancel()
            await asyncio.wait(asking)
            work.go_on.set()

    product.call(scenario)
    answer = product.post("/match", files={"file": ("q.jpg", PHOTO)}, data={"verify": "false"})

    assert answer.status_code == 200
    assert (work.encoded, work.compared) == (2, 0)


def test_verification_stops_between_candidates(product: AppClient, work: Work):
    """A visitor who leaves during the first candidate's comparison does not have the other four compared."""

    async def scenario() -> None:
        transport = httpx.ASGITransport(product.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=None) as http:
            asking = asyncio.create_task(http.post("/match", files={"file": ("q.jpg", PHOTO)}))
            assert await asyncio.to_thread(work.begun.acquire, timeout=20)  # the encoder
            work.go_on.set()
            work.go_on = threading.Event()
            assert await asyncio.to_thread(work.begun.acquire, timeout=20)  # the first candidate
            asking.cancel()
            await asyncio.wait([asking])
            work.go_on.set()

    product.call(scenario)
    answer = product.post("/match", files={"file": ("q.jpg", PHOTO)})

    assert answer.json()["verification"] == "done"
    assert work.compared == 1 + 5


def test_a_match_nobody_waits_for_stops_at_its_limit(product: AppClient, work: Work):
    """A request whose time is over while its photo waits is answered 504, and the photo never encoded."""

    async def scenario() -> httpx.Response:
        transport = httpx.ASGITransport(product.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=None) as http:
            first = asyncio.create_task(http.post("/match", files={"file": ("q.jpg", PHOTO)}))
            assert await asyncio.to_thread(work.begun.acquire, timeout=20)
            limit = {"X-Request-Timeout-S": "0.05"}
            hurried = await http.post("/match", files={"file": ("q.jpg", PHOTO)}, headers=limit)
            work.go_on.set()
            assert (await first).status_code == 200
            return hurried

    hurried = product.call(scenario)

    assert (hurried.status_code, hurried.json()["error"]["code"]) == (504, "deadline_exceeded")
    assert work.encoded == 1
