"""The whole product in one process, on fakes of its models."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.encoders import ThumbnailEncoder
from fakes.images import draw_place, encode
from fakes.verifiers import ScriptedVerifier
from in_process import AppClient

from gateway.settings import GatewaySettings
from services.retrieval.app import create_app as create_retrieval
from services.retrieval.settings import RetrievalSettings
from services.verifier.app import create_app as create_verifier
from services.verifier.settings import VerifierSettings
from standalone.app import compose

PLACES = {f"place-{seed}": encode(draw_place(seed)) for seed in range(1, 7)}


@pytest.fixture
def product(tmp_path: Path) -> Iterator[AppClient]:
    """Gateway and both services; the verifier believes in the photo of place-2 alone. The gallery is empty."""
    folder = tmp_path / "gallery"
    retrieval = create_retrieval(RetrievalSettings(data_dir=folder), encoder=ThumbnailEncoder(local_features=True))
    believed = {hashlib.sha256(PLACES["place-2"]).hexdigest(): 0.9}
    verifier = create_verifier(VerifierSettings(data_dir=folder), verifier=ScriptedVerifier(believed))
    with AppClient(compose(GatewaySettings(), retrieval=retrieval, verifier=verifier)) as client:
        for service in (retrieval, verifier):
            client.call(service.state.loading.finished)
        yield client


@pytest.fixture
def filled(product: AppClient) -> AppClient:
    """The product with six places in its gallery."""
    for place_id, data in PLACES.items():
        answer = product.post(
            "/index/images",
            files={"file": (f"{place_id}.jpg", data)},
            data={"place_id": place_id, "place_name": place_id},
        )
        assert answer.json()["added"] == 1
    return product
