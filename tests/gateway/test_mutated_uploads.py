"""No upload, however mangled, is the server's fault."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from bad_photos import GOOD_PHOTO
from fakes.encoders import ThumbnailEncoder
from fakes.verifiers import ScriptedVerifier
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from in_process import AppClient, error_of

from gateway.settings import GatewaySettings
from services.retrieval.app import create_app as create_retrieval
from services.retrieval.settings import RetrievalSettings
from services.verifier.app import create_app as create_verifier
from services.verifier.settings import VerifierSettings
from standalone.app import compose

HEADERS = {"Content-Type": "multipart/form-data; boundary=x"}
FORM = (
    b'--x\r\nContent-Disposition: form-data; name="top_k"\r\n\r\n3\r\n'
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="q.jpg"\r\n\r\n' + GOOD_PHOTO + b"\r\n--x--\r\n"
)
HEAD = 200  # where the structure is; mutations in the pixels are the decoder's own tests


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppClient]:
    """The product with one photo in its gallery."""
    folder: Path = tmp_path_factory.mktemp("mutated")
    retrieval = create_retrieval(RetrievalSettings(data_dir=folder), encoder=ThumbnailEncoder())
    verifier = create_verifier(VerifierSettings(data_dir=folder), verifier=ScriptedVerifier())
    with AppClient(compose(GatewaySettings(), retrieval=retrieval, verifier=verifier)) as client:
        for service in (retrieval, verifier):
            client.call(service.state.loading.finished)
        client.post("/index/images", files={"file": ("a.jpg", GOOD_PHOTO)})
        yield client


def check(product: AppClient, path: str, body: bytes) -> None:
    """An answer below 500; an error has the one shape."""
    answer = product.post(path, content=body, headers=HEADERS)

    assert answer.status_code < 500, answer.text
    if answer.status_code != 200:
        assert error_of(answer)["message"]


@pytest.mark.parametrize("path", ["/match", "/index/images"])
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    edits=st.lists(st.tuples(st.integers(0, HEAD), st.integers(0, 255)), min_size=1, max_size=4),
    cut=st.integers(1, len(FORM)),
)
def test_mangled_forms_are_the_callers_fault(product: AppClient, path: str, edits: list[tuple[int, int]], cut: int):
    """Flipped bytes in a form's structure and a cut anywhere give a 4xx in the one shape, or still work."""
    body = bytearray(FORM)
    for at, value in edits:
        body[at] = value

    check(product, path, bytes(body))
    check(product, path, bytes(body[:cut]))


@pytest.mark.parametrize("path", ["/match", "/index/images"])
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    field=st.sampled_from(["top_k", "collection", "place_id", "place_name", "metadata", "latitude", "prompt_style"]),
    value=st.text(max_size=40),
)
def test_any_text_in_any_field_is_survived(product: AppClient, path: str, field: str, value: str):
    """Whatever is typed into a field is taken or refused, never a crash."""
    body = f'--x\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'.encode(errors="surrogatepass")

    check(product, path, body + FORM)
