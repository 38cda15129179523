"""A calibration begins although the answer to its first word is lost on the way."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fakes.encoders import ThumbnailEncoder
from in_process import AppClient

from contracts.calibration import CalibrationRequest
from gateway.calibration_client import CalibrationClient
from gateway.calibration_job import RunningCalibration
from gateway.calibration_run import CalibrationRun
from gateway.clients import VerifierClient
from gateway.errors import AlreadyCalibrating
from services.retrieval.app import create_app
from services.retrieval.settings import RetrievalSettings


class LosesFirstAnswer(httpx.ASGITransport):
    """Carries every request to the service, and every answer back but the first."""

    lost: httpx.Response | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await super().handle_async_request(request)
        if self.lost is None:
            self.lost = answer
            raise httpx.ReadError("the replica died")
        return answer


@pytest.fixture
def retrieval(tmp_path: Path) -> Iterator[AppClient]:
    """The retrieval service with an empty gallery."""
    with AppClient(create_app(RetrievalSettings(data_dir=tmp_path), encoder=ThumbnailEncoder())) as client:
        yield client


def prepared(http: httpx.AsyncClient, collection: str) -> RunningCalibration:
    """A calibration of one gateway, not begun."""
    client = CalibrationClient(http, timeout_s=5)
    run = CalibrationRun(client, VerifierClient(http, timeout_s=5), lambda: False)
    return RunningCalibration(client, run, collection, CalibrationRequest())


def test_the_first_word_may_be_said_twice(retrieval: AppClient):
    """The second try finds the job to be its own; the next calibration, of the same gateway as well, is refused."""
    transport = LosesFirstAnswer(retrieval.app)

    async def begin_two() -> None:
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            await prepared(http, "default").begin()
            for collection in ("default", "other"):
                with pytest.raises(AlreadyCalibrating, match="'default' is being calibrated"):
                    await prepared(http, collection).begin()

    retrieval.call(begin_two)

    assert transport.lost is not None
    assert transport.lost.is_success
