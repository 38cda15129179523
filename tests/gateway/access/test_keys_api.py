"""An admin creates and revokes keys over HTTP."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from guarded import Guarded
from in_process import AppClient, error_of

from gateway.app import create_app
from gateway.settings import GatewaySettings
from serving.auth.keys import create_key


def names(product: Guarded) -> list[str]:
    """Of all keys."""
    return [key["name"] for key in product.request("GET", "/session/keys", "admin").json()["keys"]]


def use(product: Guarded, key: str) -> int:
    """The status of a request of a curator with a key."""
    return product.client.get("/index/images", headers={"Authorization": f"Bearer {key}"}).status_code


def test_a_key_works_from_its_creation_until_it_is_revoked(start: Callable[..., Guarded], tmp_path: Path):
    """It is shown once, in an answer that nothing on the way may store, and is nowhere in the file or the log."""
    log = tmp_path / "keys.jsonl"
    guarded = start(audit_file=log)
    made = guarded.request("POST", "/session/keys", "admin", json={"name": "desk", "role": "manage"})
    key = made.json()["key"]

    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    assert made.json() == {"name": "desk", "role": "manage", "collections": None, "key": key}
    assert use(guarded, key) == 200
    assert "desk" in names(guarded)
    assert guarded.request("DELETE", "/session/keys/desk", "admin").status_code == 204
    assert use(guarded, key) == 401
    assert "desk" not in names(guarded)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(line["action"], line["who"], line["ids"], line["outcome"]) for line in lines] == [
        ("key.create", "admin-key", ["desk"], "done"),
        ("key.revoke", "admin-key", ["desk"], "done"),
    ]
    assert key not in log.read_text() + guarded.keys_file.read_text()


def test_a_key_is_created_for_some_collections(start: Callable[..., Guarded], tmp_path: Path):
    """The list of the keys, the session of the key and the audit log name them."""
    log = tmp_path / "keys.jsonl"
    guarded = start(audit_file=log)
    wanted = {"name": "desk", "role": "manage", "collections": ["east", "馆藏"]}

    made = guarded.request("POST", "/session/keys", "admin", json=wanted).json()

    listed = {key["name"]: key for key in guarded.request("GET", "/session/keys", "admin").json()["keys"]}
    session = guarded.client.get("/session", headers={"Authorization": f"Bearer {made['key']}"}).json()
    (line,) = [json.loads(line) for line in log.read_text().splitlines()]
    named = [found["collections"] for found in (made, listed["desk"], session, line)]
    assert named == [["east", "馆藏"]] * 4
    assert listed["manage-key"]["collections"] is None


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("POST", "/session/keys", {"name": "manage-key", "role": "match"}, 409, "already a key called manage-key"),
        ("POST", "/session/keys", {"name": "a b", "role": "match"}, 422, "name"),
        ("POST", "/session/keys", {"name": "anonymous", "role": "match"}, 409, "choose another name"),
        ("POST", "/session/keys", {"name": "desk", "role": "owner"}, 422, "role"),
        ("POST", "/session/keys", {"name": "desk", "role": "match", "collections": []}, 422, "collections"),
        ("POST", "/session/keys", {"name": "desk", "role": "match", "collections": [""]}, 422, "collections"),
        ("POST", "/session/keys", {"name": "desk", "role": "match", "collections": ["a"] * 21}, 422, "collections"),
        ("POST", "/session/keys", {"name": "desk", "role": "admin", "collections": ["a"]}, 409, "cannot be restricted"),
        ("DELETE", "/session/keys/nobody", None, 404, "no key is called nobody"),
        ("DELETE", "/session/keys/admin-key", None, 409, "last key with the role admin"),
    ],
)
def test_what_is_not_possible_is_refused_with_the_reason(guarded: Guarded, method, path, body, status, words):
    """Nothing changes, and no admin can lock everybody out."""
    before = guarded.keys_file.read_bytes()

    answer = guarded.request(method, path, "admin", json=body)

    assert (answer.status_code, guarded.keys_file.read_bytes()) == (status, before)
    assert words in json.dumps(error_of(answer))


def test_an_admin_can_revoke_another_one(guarded: Guarded):
    """As long as one remains."""
    create_key(guarded.keys_file, "second", "admin")

    assert guarded.request("DELETE", "/session/keys/second", "admin").status_code == 204


def test_a_server_without_keys_says_how_to_have_some():
    """There is no file to write to."""
    with AppClient(create_app(GatewaySettings())) as client:
        answer = client.post("/session/keys", json={"name": "desk", "role": "match"})

    assert (answer.status_code, error_of(answer)["message"].partition(";")[2]) == (
        409,
        " set GATEWAY_KEYS_FILE to use some",
    )
