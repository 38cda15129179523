"""How far the download of a model is, at /health/ready."""

from pathlib import Path
from threading import Event
from typing import Any

import pytest
from in_process import AppClient
from servers.hubs import ModelScope, served, write_model

from services.retrieval.app import create_app as create_retrieval
from services.retrieval.settings import RetrievalSettings
from services.verifier.app import create_app as create_verifier
from services.verifier.settings import VerifierSettings


@pytest.mark.parametrize("service", ["retrieval", "verifier"])
def test_readiness_says_how_far_a_download_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: str):
    """While it runs: loading, the bytes that are there and those of the whole model; afterwards nothing of it."""
    published = write_model(tmp_path / "published")
    total = sum(file.stat().st_size for file in published.iterdir())
    half_is_sent, go_on = Event(), Event()

    def send(request: ModelScope, rest: bytes) -> None:
        request.wfile.write(rest[: len(rest) // 2])
        request.wfile.flush()
        half_is_sent.set()
        assert go_on.wait(60)
        request.wfile.write(rest[len(rest) // 2 :])

    handler: Any = type("Hub", (ModelScope,), {"folder": published, "requests": [], "listed": {}, "send": send})
    gallery, model = tmp_path / "gallery", "modelscope:open/model"
    with served(handler) as address:
        monkeypatch.setenv("MODELSCOPE_DOMAIN", address)
        monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        if service == "retrieval":
            app = create_retrieval(RetrievalSettings(data_dir=gallery, encoder="dinov3", model=model))
        else:
            app = create_verifier(VerifierSettings(data_dir=gallery, verifier="qwen3-vl", model=model))
        with AppClient(app, wait_until_loaded=False) as client:
            assert half_is_sent.wait(60)
            during = client.get("/health/ready")
            go_on.set()
            client.call(app.state.loading.finished)
            after = client.get("/health/ready").json()

    body = during.json()
    assert (during.status_code, body["loading"], body["code"]) == (503, True, "loading")
    assert (body["details"]["model"], body["details"]["bytes_to_download"]) == (model, total)
    assert 0 <= body["details"]["downloaded_bytes"] < total
    assert body["reason"].endswith(f"of model {model} are downloaded")
    assert (after["code"], after["details"]) == ("model_unavailable", {})  # its weights are random numbers
