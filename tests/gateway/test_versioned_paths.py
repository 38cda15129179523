"""The paths below /v1 are the documented routes, and nothing else; `access/test_roles.py` holds their roles."""

import pytest
from in_process import AppClient, error_of

from gateway.app import create_app
from gateway.page.qr import visitors_address
from gateway.settings import GatewaySettings


def test_answers_below_v1_are_the_same(filled: AppClient):
    """Lists, pictures, changes and codes come from the same gallery."""
    for path in ("/index/places", "/index/collections", "/collections/default/places/place-1", "/collections/a/qr.svg"):
        assert filled.get(f"/v1{path}").content == filled.get(path).content, path
    preview = filled.get("/v1/index/places").json()["places"][0]["preview_url"]
    assert filled.get(f"/v1{preview}").content == filled.get(preview).content
    changed = filled.request("PATCH", "/v1/collections/default/places/place-1", json={"name": "厅 %2F 1"})

    assert changed.json()["name"] == filled.get("/collections/default/places/place-1").json()["name"] == "厅 %2F 1"
    assert visitors_address("http://localhost/", "a") in filled.get("/v1/collections/a/qr.svg").text


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/app.js", "/v1/metrics", "/v1/v1/match", "/v2/match"])
def test_nothing_else_is_below_v1(filled: AppClient, path: str):
    """Neither the page nor a second version."""
    answer = filled.get(path)

    assert (answer.status_code, error_of(answer)["code"]) == (404, "not_found")


def test_the_document_names_both_addresses():
    """Client generators offer the address with the version."""
    servers = create_app(GatewaySettings()).openapi()["servers"]

    assert [server["url"] for server in servers] == [".", "v1"]
