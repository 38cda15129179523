"""A gateway that asks for keys, both services behind it in one process, and a key of each role."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes.encoders import ThumbnailEncoder
from fakes.verifiers import ScriptedVerifier
from guarded import SERVICE_KEY, Guarded
from in_process import AppClient

from gateway.settings import GatewaySettings
from services.retrieval.app import create_app as create_retrieval
from services.retrieval.settings import RetrievalSettings
from services.verifier.app import create_app as create_verifier
from services.verifier.settings import VerifierSettings
from serving.auth.keys import create_key
from standalone.app import compose


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    """Where the keys are."""
    return tmp_path / "keys" / "keys.json"


@pytest.fixture
def start(tmp_path: Path, keys_file: Path) -> Iterator[Callable[..., Guarded]]:
    """Starts the product with keys, with a secret of its processes or without, and further settings of the gateway."""
    keys = {role: create_key(keys_file, f"{role}-key", role) for role in ("match", "manage", "admin")}
    started: list[AppClient] = []

    def start(*, service_key: str | None = SERVICE_KEY, **settings: Any) -> Guarded:
        folder, audit_file = tmp_path / "gallery", tmp_path / "audit.jsonl"
        retrieval = create_retrieval(
            RetrievalSettings(data_dir=folder, service_key=service_key, audit_file=audit_file, inbox_days=14),
            encoder=ThumbnailEncoder(local_features=True),
        )
        verifier = create_verifier(
            VerifierSettings(data_dir=folder, service_key=service_key), verifier=ScriptedVerifier({})
        )
        gateway = GatewaySettings(keys_file=keys_file, service_key=service_key, **settings)
        client = AppClient(compose(gateway, retrieval=retrieval, verifier=verifier))
        client.__enter__()
        started.append(client)
        for service in (retrieval, verifier):
            client.call(service.state.loading.finished)
        return Guarded(client, retrieval, keys, keys_file, audit_file)

    yield start
    for client in started:
        client.__exit__(None, None, None)


@pytest.fixture
def guarded(start: Callable[..., Guarded]) -> Guarded:
    """The product with keys; visitors may do nothing."""
    return start()
