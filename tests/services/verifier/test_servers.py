"""The verifier service over servers of its own: readiness and metrics tell which of them answer."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from fakes.chat_server import ChatServer, completion
from fakes.encoders import ThumbnailEncoder
from fakes.images import draw_place
from in_process import AppClient

from core.errors import BackendUnavailable
from core.gallery import Gallery
from core.results import Photo
from services.verifier.app import create_app
from services.verifier.settings import VerifierSettings


def yes(_request: dict[str, Any]) -> tuple[int, Any]:
    return 200, completion("yes")


@pytest.fixture
def servers() -> Iterator[list[ChatServer]]:
    """Two that say yes."""
    with ExitStack() as stack:
        pair = [ChatServer(yes), ChatServer(yes)]
        for server in pair:
            server.__enter__()
            stack.callback(server.kill)
        yield pair


@pytest.fixture
def verifier(folder: Path, servers: list[ChatServer]) -> Iterator[AppClient]:
    """The service, asking both, with an empty gallery."""
    options = {"url": ",".join(server.url for server in servers), "answers_from": "words"}
    settings = VerifierSettings(data_dir=folder, verifier="openai-compatible", model="tiny", verifier_options=options)
    with Gallery.open(folder, ThumbnailEncoder().fingerprint), AppClient(create_app(settings)) as client:
        client.call(client.app.state.loading.finished)
        yield client


def ask(client: AppClient) -> None:
    """Have so many photos judged that each server is surely asked."""
    verifier = client.app.state.loading.get().verifier
    for seed in range(24):
        photo = Photo(lambda seed=seed: draw_place(seed, (64, 48)))
        verifier.verify(photo, [photo])


def test_one_server_of_two_is_enough(verifier: AppClient, servers: list[ChatServer]):
    """With one of its servers gone the service stays ready, and tells operators which one it is."""
    servers[0].kill()
    ask(verifier)
    ready = verifier.get("/health/ready")

    first, second = ready.json()["details"]["servers"].values()
    assert (ready.status_code, second) == (200, "answers")
    assert "cannot be reached" in first
    names = [server.url.removeprefix("http://").removesuffix("/v1") for server in servers]
    told = verifier.get("/metrics").text
    for name, answers in zip(names, (0, 1), strict=True):
        assert f'matcher_verifier_server_answers{{process="verifier",server="{name}"}} {answers}.0' in told
        assert f'matcher_verifier_server_in_flight{{process="verifier",server="{name}"}} 0.0' in told
    assert f'_requests_total{{outcome="failed",process="verifier",server="{names[0]}"}} 1.0' in told


def test_without_any_server_the_service_is_not_ready(verifier: AppClient, servers: list[ChatServer]):
    """With all servers gone readiness says so, and keeps their addresses to itself."""
    for server in servers:
        server.kill()
    with pytest.raises(BackendUnavailable, match="cannot be reached"):
        ask(verifier)
    ready = verifier.get("/health/ready")

    assert ready.status_code == 503
    assert ready.json()["reason"] == "none of the 2 servers that the verifier asks is answering"


def test_queries_are_verified_side_by_side(verifier: AppClient):
    """A verifier that asks servers takes two queries at once for each of them."""
    assert verifier.app.state.loading.get().verifier.queries_at_once == 4
