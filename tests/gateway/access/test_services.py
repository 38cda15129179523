"""The services behind the gateway: reached by it alone, once they have a key in common."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes.encoders import ThumbnailEncoder
from fakes.verifiers import ScriptedVerifier
from guarded import SERVICE_KEY
from in_process import AppClient, error_of

from gateway.settings import GatewaySettings
from services.retrieval.app import create_app as create_retrieval
from services.retrieval.settings import RetrievalSettings
from services.verifier.app import create_app as create_verifier
from services.verifier.settings import VerifierSettings
from standalone.app import compose

Start = Callable[[str | None], dict[str, AppClient]]


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Start]:
    """Starts both services with a service key, or without."""
    started: list[AppClient] = []

    def start(key: str | None) -> dict[str, AppClient]:
        apps = {
            "retrieval": create_retrieval(
                RetrievalSettings(data_dir=tmp_path, service_key=key), encoder=ThumbnailEncoder(local_features=True)
            ),
            "verifier": create_verifier(
                VerifierSettings(data_dir=tmp_path, service_key=key), verifier=ScriptedVerifier({})
            ),
        }
        clients = {name: AppClient(app).__enter__() for name, app in apps.items()}
        started.extend(clients.values())
        return clients

    yield start
    for client in started:
        client.__exit__(None, None, None)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"X-Asked-By": "admin 127.0.0.1"}])
def test_strangers_learn_only_that_it_lives(services: Start, headers: dict[str, str]):
    """Every route of both services but /health is closed to whoever has not the key, whatever the path's spelling."""
    for client in services(SERVICE_KEY).values():
        document = client.app.openapi()["paths"]
        asked = {(method, re.sub(r"\{\w+\}", "0", path)) for path, item in document.items() for method in item}
        odd = {("get", path) for path in ("/metrics", "/openapi.json", "//health/live", "/health/live/", "/nothing")}
        for method, path in asked | odd:
            answer = client.request(method.upper(), f"http://localhost{path}", headers=headers)
            is_health = path in {"/health/live", "/health/ready"}
            assert (answer.status_code == 200) if is_health else (answer.status_code == 401), (method, path)
        assert client.get("/health/ready", headers=headers).json()["details"] == {}


def test_the_key_opens_everything(services: Start):
    """With it, the services answer as they do without one."""
    for client in services(SERVICE_KEY).values():
        headers = {"Authorization": f"Bearer {SERVICE_KEY}"}
        assert client.get("/metrics", headers=headers).status_code == 200
        assert client.get("/health/ready", headers=headers).json()["details"] != {}


def test_without_a_key_pages_of_others_are_still_shut_out(services: Start):
    """A service on loopback refuses what a web page of another site, or of another name, makes a browser send."""
    for client in services(None).values():
        assert client.post("/nothing", headers={"Origin": "http://evil.example"}).status_code == 403
        assert client.get("/version", headers={"Host": "evil.example"}).status_code == 403
        assert client.get("/version").status_code == 200


@pytest.mark.parametrize("key", [None, "another key of twenty characters"])
def test_a_gateway_with_a_wrong_key_blames_itself(tmp_path: Path, key: str | None):
    """Visitors are never asked for a key that they could not have: the gateway is misconfigured, and says how."""
    retrieval = create_retrieval(
        RetrievalSettings(data_dir=tmp_path, service_key=SERVICE_KEY), encoder=ThumbnailEncoder(local_features=True)
    )
    verifier = create_verifier(
        VerifierSettings(data_dir=tmp_path, service_key=SERVICE_KEY), verifier=ScriptedVerifier({})
    )
    with AppClient(compose(GatewaySettings(service_key=key), retrieval=retrieval, verifier=verifier)) as client:
        answers = [client.get("/index/collections"), client.post("/match", files={"file": ("a.jpg", b"x")})]

    assert [(answer.status_code, error_of(answer)["code"]) for answer in answers] == [
        (503, "retrieval_unavailable")
    ] * 2
    assert "GATEWAY_SERVICE_KEY, M1_SERVICE_KEY and M3_SERVICE_KEY must be the same" in error_of(answers[0])["message"]
