"""A part that fails: visitors read that it does not work now, operators what is wrong and where."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from bad_photos import GOOD_PHOTO
from guarded import SERVICE_KEY
from in_process import error_of
from played_services import gateway

from serving.auth.keys import create_key

PHOTO = {"files": {"file": ("q.jpg", GOOD_PHOTO)}}


def is_away(_request: httpx.Request) -> httpx.Response:
    """A retrieval service whose database is away."""
    message = "the database at 10.1.2.3 does not answer"
    error = {"code": "gallery_unavailable", "message": message, "accepted": None, "field": None}
    headers = {"Retry-After": "5", "Content-Type": "application/json"}
    return httpx.Response(503, headers=headers, stream=httpx.ByteStream(json.dumps({"error": error}).encode()))


@pytest.mark.parametrize(("role", "is_told"), [("match", False), ("manage", True), ("admin", True)])
@pytest.mark.parametrize(
    ("method", "path", "body"), [("POST", "/match", PHOTO), ("GET", "/index/images/i/preview", {})]
)
def test_addresses_are_for_operators(
    tmp_path: Path, role: str, is_told: bool, method: str, path: str, body: dict[str, Any]
):
    """Whoever may only match learns no address of a database or a server; status, code and Retry-After stay."""
    keys_file = tmp_path / "keys.json"
    key = create_key(keys_file, "theirs", role)
    with gateway(is_away, keys_file=keys_file, service_key=SERVICE_KEY) as client:
        answer = client.request(method, path, headers={"Authorization": f"Bearer {key}"}, **body)

    error = error_of(answer)
    assert (answer.status_code, error["code"], answer.headers["retry-after"]) == (503, "gallery_unavailable", "5")
    assert ("10.1.2.3" in error["message"]) is is_told
    assert is_told or error["message"].endswith("try again soon")
