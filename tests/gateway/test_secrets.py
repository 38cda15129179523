"""Secrets in every setting, failures everywhere, and no secret in any answer or log line."""

import io
import logging
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from bad_photos import GOOD_PHOTO
from fakes.chat_server import ChatServer
from fakes.encoders import ThumbnailEncoder
from in_process import AppClient
from pydantic import SecretStr

from gateway.settings import GatewaySettings
from services.retrieval.app import create_app as create_retrieval
from services.retrieval.settings import RetrievalSettings
from services.verifier.app import create_app as create_verifier
from services.verifier.settings import VerifierSettings
from serving.auth.keys import create_key
from serving.observability import configure_logging
from serving.secrets import without_secrets
from serving.settings import ServiceSettings, read_settings
from standalone.app import compose

API_KEY, PASSWORD, SERVICE_KEY, TOKEN = "sk-SECRET-api", "SECRET-password", "SECRET-service-key-0123", "hf_SECRETtoken"
SECRETS = (API_KEY, PASSWORD, SERVICE_KEY, TOKEN, "SECRET")


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What a process would have written to its log."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    configure_logging("DEBUG")
    written = io.StringIO()
    (handler,) = root.handlers
    handler.setStream(written)  # type: ignore[attr-defined]  # a StreamHandler
    yield written
    root.handlers[:] = before
    root.setLevel(level)


def settings_of(folder: Path, url: str) -> dict[str, Any]:
    shared = {"service_key": SecretStr(SERVICE_KEY), "data_dir": folder}
    options = {"url": url.replace("://", f"://user:{PASSWORD}@"), "api_key": f"{API_KEY}\n"}
    return {
        "retrieval": RetrievalSettings(**shared, encoder_options={"token": TOKEN}),
        "verifier": VerifierSettings(**shared, verifier="openai-compatible", model="tiny", verifier_options=options),
        "gateway": GatewaySettings(service_key=SecretStr(SERVICE_KEY)),
    }


@pytest.mark.parametrize("status", [200, 400, 401, 500, 503])
def test_no_secret_is_answered_or_logged(tmp_path: Path, log: io.StringIO, status: int):
    """A server that repeats all it was sent, and a library that quotes it, give nothing away."""

    def repeat(_request: dict[str, Any]) -> tuple[int, Any]:
        body = {"error": {"message": f"Illegal header value b'Bearer {API_KEY}\\n' {PASSWORD} {SERVICE_KEY} {TOKEN}"}}
        return status, body

    seen = []
    with ExitStack() as stack:
        server = stack.enter_context(ChatServer(repeat))
        settings = settings_of(tmp_path / "gallery", server.url)
        retrieval = create_retrieval(settings["retrieval"], encoder=ThumbnailEncoder())
        verifier = create_verifier(settings["verifier"])
        client = stack.enter_context(AppClient(compose(settings["gateway"], retrieval=retrieval, verifier=verifier)))
        for service in (retrieval, verifier):
            client.call(service.state.loading.finished)
        client.post("/index/images", files={"files": ("a.jpg", GOOD_PHOTO)}, data={"place_id": "a"})
        for path in ("/health/ready", "/version", "/metrics", "/session"):
            seen.append(client.get(path).text)
        for fields in ({}, {"prompt_style": "poetic"}, {"reasons": "true"}):
            seen.append(client.post("/match", files={"file": ("q.jpg", GOOD_PHOTO)}, data=fields).text)
        logging.getLogger("a.library").error(
            "failed with %s", API_KEY, exc_info=ValueError(f"no: {TOKEN} {SERVICE_KEY}")
        )

    for text in (*seen, log.getvalue()):
        assert not [secret for secret in SECRETS if secret in text], text
    assert '"ready":false' in seen[0] or "not verified" in seen[0]


def test_strangers_read_a_code_and_a_sentence_of_ours(tmp_path: Path):
    """What a server said, its address and a model's folder are for operators; anybody reads that it fails."""
    keys = tmp_path / "keys.json"
    key = create_key(keys, "operator", "admin")
    with ExitStack() as stack:
        server = stack.enter_context(ChatServer(lambda _request: (400, {"error": "THE SERVER'S OWN WORDS"})))
        settings = settings_of(tmp_path / "gallery", server.url)
        retrieval = create_retrieval(settings["retrieval"], encoder=ThumbnailEncoder())
        verifier = create_verifier(settings["verifier"])
        gateway = GatewaySettings(service_key=SecretStr(SERVICE_KEY), keys_file=keys, anonymous_role="match")
        client = stack.enter_context(AppClient(compose(gateway, retrieval=retrieval, verifier=verifier)))
        for service in (retrieval, verifier):
            client.call(service.state.loading.finished)
        stranger = client.get("/health/ready").json()
        operator = client.get("/health/ready", headers={"Authorization": f"Bearer {key}"}).json()

    assert (stranger["code"], stranger["reason"]) == ("not_verified", "answers are not verified")
    assert stranger["parts"]["verifier"]["code"] == "model_unavailable"
    assert "OWN WORDS" not in str(stranger)
    assert "127.0.0.1" not in str(stranger)
    assert "OWN WORDS" in operator["parts"]["verifier"]["reason"]


@pytest.mark.parametrize(
    "key", ["SECRET-service-key\x7f-01234", "SECRET-service-key\x00-01234", "SECRET-密-service-key-01"]
)
def test_a_service_key_that_no_header_may_hold_is_refused_without_it(key: str, monkeypatch: pytest.MonkeyPatch):
    """At the start, by the setting's name."""

    class Settings(ServiceSettings):
        model_config = ServiceSettings.model_config | {"env_prefix": "TEST_"}
        port: int = 0

    monkeypatch.setenv("TEST_SERVICE_KEY", key.replace("\x00", "\x01"))
    with pytest.raises(SystemExit, match="TEST_SERVICE_KEY") as refusal:
        read_settings(Settings)
    assert "SECRET" not in str(refusal.value)


def test_passwords_in_addresses_are_hidden_without_being_known():
    """Whatever address stands in a text."""
    assert without_secrets("postgresql://me:pass@db/x failed") == "postgresql://***@db/x failed"
