"""Whose ``Idempotency-Key`` it is."""

from guarded import Guarded


def test_every_caller_has_keys_of_their_own(guarded: Guarded):
    """Nobody reads the reply to somebody else's write, and a role that is too low gets none at all."""

    def create(role: str) -> int:
        headers = {"Idempotency-Key": "k1"}
        return guarded.request("POST", "/collections", role, json={"name": "east"}, headers=headers).status_code

    assert [create("manage"), create("admin"), create("match"), create("manage")] == [201, 409, 403, 201]
    assert guarded.audit_file.read_text().count('"collection.create"') == 2
