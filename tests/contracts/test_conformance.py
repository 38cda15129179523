"""Whatever is sent to them, the three processes answer as their OpenAPI documents say, and never with a crash.

Requests are generated from the documents by schemathesis, valid and invalid ones, and sent over sockets.
"""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
import requests
import schemathesis
import uvicorn
from fakes.encoders import ThumbnailEncoder
from fakes.images import draw_place, encode
from fakes.sounds import mp3, ogg, wav
from fakes.verifiers import ScriptedVerifier
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.app import create_app as create_gateway
from gateway.settings import GatewaySettings
from services.retrieval.app import create_app as create_retrieval
from services.retrieval.background import usage
from services.retrieval.settings import RetrievalSettings
from services.verifier.app import create_app as create_verifier
from services.verifier.settings import VerifierSettings

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
DOCUMENTS = {
    "gateway": create_gateway(GatewaySettings()).openapi(),
    "retrieval": create_retrieval(RetrievalSettings()).openapi(),
    "verifier": create_verifier(VerifierSettings()).openapi(),
}
PHOTOS = [encode(draw_place(seed, (160, 120))) for seed in range(4)]

schemathesis.openapi.media_type("image/*", st.sampled_from(PHOTOS) | st.binary(max_size=100))
schemathesis.openapi.media_type("audio/*", st.sampled_from([wav(), mp3(), ogg()]) | st.binary(max_size=100))


def operations(name: str) -> dict[str, Any]:
    """All that a document describes, by method and path."""
    schema = schemathesis.openapi.from_dict(DOCUMENTS[name])
    described = [result.ok() for result in schema.get_all_operations()]
    return {f"{name} {operation.method.upper()} {operation.path}": operation for operation in described}


OPERATIONS = {key: operation for name in DOCUMENTS for key, operation in operations(name).items()}


def invalid_asks() -> list[tuple[str, GenerationMode]]:
    """Those operations that can be asked for anything invalid: that take a parameter or a body."""
    raw = {key: operation.definition.raw for key, operation in OPERATIONS.items()}
    return [(key, GenerationMode.NEGATIVE) for key in raw if {"parameters", "requestBody"} & raw[key].keys()]


@dataclass
class Product:
    """Addresses of the three, and a session to talk to them with."""

    addresses: dict[str, str]
    session: requests.Session

    def image_ids(self) -> list[str]:
        """What is in the gallery, filled up again when all has been deleted."""
        images = f"{self.addresses['gateway']}/index/images"
        listed = self.session.get(images, params={"limit": 50}).json()["images"]
        if not listed:
            self.session.post(images, files=[("file", (f"{n}.jpg", photo)) for n, photo in enumerate(PHOTOS)])
            return self.image_ids()
        return [image["id"] for image in listed]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The three applications with a real gallery and fakes of their models, on sockets."""
    folder: Path = tmp_path_factory.mktemp("conformance") / "gallery"
    with ExitStack() as stack:
        # Nearly all ids of matches that are drawn are unknown, and none arrives while it is waited for.
        stack.enter_context(pytest.MonkeyPatch.context()).setattr(usage, "_BETWEEN_LOOKS_S", 0.0)
        encoder = ThumbnailEncoder(local_features=True)
        retrieval = stack.enter_context(
            serving(create_retrieval(RetrievalSettings(data_dir=folder, port=0), encoder=encoder))
        )
        verifier = stack.enter_context(
            serving(create_verifier(VerifierSettings(data_dir=folder, port=0), verifier=ScriptedVerifier()))
        )
        door = GatewaySettings(
            port=0, retrieval_url=retrieval, verifier_url=verifier, rate_per_minute=0, anonymous_rate_per_minute=0
        )
        gateway = stack.enter_context(serving(create_gateway(door)))
        session = stack.enter_context(requests.Session())
        session.trust_env = False
        yield Product({"gateway": gateway, "retrieval": retrieval, "verifier": verifier}, session)


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Serve an application in a thread; lend its address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, ws="none"))
        thread = Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        try:
            while httpx.get(f"{address}/health/ready", trust_env=False, timeout=60).status_code != 200:
                thread.join(0.05)
            yield address
        finally:
            server.should_exit = True
            thread.join()


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("examples", [10, pytest.param(300, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("key", "mode"), [*((key, GenerationMode.POSITIVE) for key in OPERATIONS), *invalid_asks()])
def test_answers_are_as_documented(product: Product, key: str, mode: GenerationMode, examples: int):
    """Status, media type, headers and body of every answer are those of the document; none is a server error."""
    operation, address = OPERATIONS[key], product.addresses[key.split()[0]]

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=examples < 100,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), data=st.data())
    def ask(case: schemathesis.Case, data: st.DataObject) -> None:
        if "image_id" in case.path_parameters and data.draw(st.booleans()):
            number = data.draw(st.integers(0, 49))  # the gallery changes, and what is drawn must not depend on it
            image_ids = product.image_ids()
            case.path_parameters["image_id"] = image_ids[number % len(image_ids)]
        if isinstance(case.body, dict) and "file" in case.body and data.draw(st.booleans()):
            photo = data.draw(st.sampled_from(PHOTOS))
            case.body["file"] = [photo] if isinstance(case.body["file"], list) else photo
        if mode is GenerationMode.POSITIVE:
            # Who asks to be answered within a nanosecond is told that it was too late: 504, as documented.
            case.headers.pop("X-Request-Timeout-S", None)
        response = case.call(base_url=address, session=product.session, allow_redirects=False)
        case.validate_response(response, checks=CHECKS)

    ask()
