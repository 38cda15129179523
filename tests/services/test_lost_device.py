"""A device that fails for good: the service is ready no more, and its process ends for its supervisor."""

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import torch
from bad_photos import GOOD_PHOTO
from fakes.encoders import ThumbnailEncoder
from fakes.verifiers import ScriptedVerifier
from in_process import AppClient, error_of

from core.errors import DeviceLost
from core.runtime.devices import noticing_lost_devices
from services.retrieval.app import create_app as create_retrieval
from services.retrieval.settings import RetrievalSettings
from services.verifier.app import create_app as create_verifier
from services.verifier.settings import VerifierSettings

LOST = "CUDA error: unspecified launch failure\nCUDA kernel errors might be asynchronously reported"


class Losing:
    """A model that works until its device is lost."""

    def __init__(self, inner: Any) -> None:
        self._inner, self.is_lost = inner, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def encode(self, images: Any) -> Any:
        self._fail()
        return self._inner.encode(images)

    def verify(self, *arguments: Any, **options: Any) -> Any:
        self._fail()
        return self._inner.verify(*arguments, **options)

    def _fail(self) -> None:
        if self.is_lost:
            raise RuntimeError(LOST)


def search(client: AppClient) -> Any:
    return client.post("/search", content=GOOD_PHOTO)


def verify(client: AppClient) -> Any:
    request = '{"candidates": [{"image_id": "a", "place_id": "a", "similarity": 0.5}]}'
    return client.post("/verify", files={"file": ("q.jpg", GOOD_PHOTO)}, data={"request": request})


@pytest.mark.parametrize("service", ["retrieval", "verifier"])
def test_a_lost_device_ends_the_process(tmp_path: Path, service: str):
    """The request is answered 503, readiness says so from then on, and the process is asked to end."""
    folder = tmp_path / "gallery"
    encoder, verifier = Losing(ThumbnailEncoder()), Losing(ScriptedVerifier())
    with ExitStack() as stack:
        client = stack.enter_context(AppClient(create_retrieval(RetrievalSettings(data_dir=folder), encoder=encoder)))
        client.post("/index/images", files={"files": ("a.jpg", GOOD_PHOTO)}, data={"place_id": "a"})
        if service == "verifier":
            settings = VerifierSettings(data_dir=folder)
            client = stack.enter_context(AppClient(create_verifier(settings, verifier=verifier)))
        ask = search if service == "retrieval" else verify
        before = client.get("/health/ready").status_code
        encoder.is_lost = verifier.is_lost = True
        answer, after, again = ask(client), client.get("/health/ready"), ask(client)

    assert (before, answer.status_code, error_of(answer)["code"]) == (200, 503, "backend_unavailable")
    assert (after.status_code, after.json()["code"], again.status_code) == (503, "device_lost", 503)
    assert client.app.state.ending.is_asked_for


@pytest.mark.parametrize(
    ("message", "is_lost"),
    [
        (LOST, True),
        ("CUDA error: an illegal memory access was encountered", True),
        ("CUDA error: device-side assert triggered", True),
        ("CUDA error: uncorrectable ECC error encountered", True),
        ("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED", True),
        ("CUDA error: out of memory", False),
        ("CUDA error: invalid argument", False),
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate", False),
        ("The size of tensor a (3) must match the size of tensor b (4)", False),
    ],
)
def test_lasting_failures_are_told_from_others(message: str, is_lost: bool):
    """What CUDA keeps failing with needs a new process; what concerns one call does not."""
    with pytest.raises(RuntimeError if not is_lost else DeviceLost), noticing_lost_devices():
        raise RuntimeError(message)
    with pytest.raises(torch.OutOfMemoryError), noticing_lost_devices():
        raise torch.OutOfMemoryError("CUDA out of memory")


PROCESS = """
from fastapi import FastAPI
from serving.auth.guard import Access
from serving.auth.identity import Everybody
from serving.metrics import Metrics
from serving.process import build_api, run_server
from serving.settings import ProcessSettings
from contextlib import asynccontextmanager

class Settings(ProcessSettings):
    guarded_by = "port"

@asynccontextmanager
async def lifespan(app):
    app.state.ending.ask("the device failed for good")
    yield

app = build_api("t", "t", lifespan=lifespan, errors={}, metrics=Metrics("t"), access=Access(Everybody()))
run_server(app, Settings(port=0))
"""


def test_a_process_that_cannot_go_on_leaves_with_an_error():
    """Its supervisor sees that it failed, and starts it anew."""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", PROCESS],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode != 0
    assert "ended to be restarted: the device failed for good" in done.stderr
