"""Whose ``Idempotency-Key`` it is."""

from guarded import Guarded

from serving.auth.keys import create_key, revoke_key


def test_every_caller_has_keys_of_their_own(guarded: Guarded):
    """Nobody reads the reply to somebody else's write, and a role that is too low gets none at all."""

    def create(role: str) -> int:
        headers = {"Idempotency-Key": "k1"}
        return guarded.request("POST", "/collections", role, json={"name": "east"}, headers=headers).status_code

    assert [create("manage"), create("admin"), create("match"), create("manage")] == [201, 409, 403, 201]
    assert guarded.audit_file.read_text().count('"collection.create"') == 2


def test_a_key_of_the_same_name_and_other_collections_reads_no_earlier_reply(guarded: Guarded):
    """What was created for the revoked key stays out of the reach of its successor."""

    def create(*collections: str) -> int:
        key = create_key(guarded.keys_file, "desk", "manage", collections)
        headers = {"Idempotency-Key": "k1", "Authorization": f"Bearer {key}"}
        status = guarded.client.post("/collections", json={"name": "west"}, headers=headers).status_code
        revoke_key(guarded.keys_file, "desk")
        return status

    assert [create("west"), create("east"), create("west")] == [201, 403, 201]
