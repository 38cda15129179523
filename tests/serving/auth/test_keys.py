"""The keys file: nothing in it opens a door."""

import ast
import inspect
import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import dedent

import pytest

from serving.auth import identity, keys
from serving.auth.keys import ANONYMOUS, KeysError, WatchedKeys, create_key, read_keys, revoke_key
from serving.roles import Role


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of a file that is not there yet, in a folder that is not there yet."""
    return tmp_path / "keys" / "keys.json"


def test_only_hashes_are_kept(path: Path):
    """The file holds neither the key nor a part of it, and nobody but its owner reads it."""
    token = create_key(path, "desk", "match")

    text = path.read_text()
    assert token.startswith("sim_")
    assert len(token) >= 4 + 43
    assert token[4:20] not in text
    assert len(json.loads(text)["keys"][0]["sha256"]) == 64
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_key_is_found_by_its_characters_alone(path: Path):
    """The whole key and nothing else, its hash least of all."""
    token = create_key(path, "desk", "manage")
    known = read_keys(path)

    found = known.find(token)

    assert found is not None
    assert (found.name, found.granted) == ("desk", Role.MANAGE)
    wrong = [token[:-1], token + "x", token.upper(), "", "desk", known.keys[0].sha256]
    assert [known.find(key) for key in wrong] == [None] * len(wrong)


def test_secrets_are_compared_in_constant_time():
    """Every comparison of a hash goes through hmac.compare_digest, over all keys, without an early end."""
    for function in (keys.KeyList.with_digest, identity.ServiceKeyHolders.identify):
        assert "hmac.compare_digest(" in inspect.getsource(function)
    (loop,) = [
        node
        for node in ast.walk(ast.parse(dedent(inspect.getsource(keys.KeyList.with_digest))))
        if isinstance(node, ast.For)
    ]
    assert not [node for node in ast.walk(loop) if isinstance(node, ast.Return | ast.Break)]


@pytest.mark.parametrize("name", ["", "two words", "x" * 65, "../x", "näme", ANONYMOUS, "-x"])
def test_names_are_plain(path: Path, name: str):
    """A name stands in headers and logs, and never means somebody without a key."""
    with pytest.raises(KeysError, match="name: "):
        create_key(path, name, "match")
    assert not path.exists()


def test_a_name_is_given_once(path: Path):
    """The audit log tells people apart by it."""
    create_key(path, "desk", "match")

    with pytest.raises(KeysError, match="there is already a key called desk"):
        create_key(path, "desk", "admin")


def test_revoking_what_is_not_there_says_so(path: Path):
    """With the names that are."""
    create_key(path, "desk", "match")

    with pytest.raises(KeysError, match="no key is called dsek; known: desk"):
        revoke_key(path, "dsek")


def test_several_operators_at_once_lose_nothing(path: Path):
    """Keys made at the same moment are all in the file."""
    with ThreadPoolExecutor(8) as pool:
        tokens = list(pool.map(lambda each: create_key(path, f"key-{each}", "match"), range(24)))

    known = read_keys(path)
    assert all(known.find(token) for token in tokens)


def test_a_change_is_seen_by_the_next_question(path: Path):
    """Without a restart, and without asking for it."""
    first = create_key(path, "first", "match")
    watched = WatchedKeys(path)
    second = create_key(path, "second", "admin")
    assert watched.current().find(second)

    revoke_key(path, "first")

    assert watched.current().find(first) is None
    assert watched.current().find(second)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is damaged"),
        (b"[]", "is damaged"),
        (b'{"keys": [{"name": "a", "role": "root", "sha256": "' + b"0" * 64 + b'", "created": "2026-01-01"}]}', "role"),
        (b'{"keys": [], "more": 1}', "more"),
    ],
)
def test_a_file_that_is_none_is_refused(path: Path, content: bytes, message: str):
    """At the start as well as on the command line, with what is wrong."""
    path.parent.mkdir()
    path.write_bytes(content)

    with pytest.raises(KeysError, match=message):
        WatchedKeys(path)
    with pytest.raises(KeysError, match=message):
        create_key(path, "desk", "match")
    assert path.read_bytes() == content


def test_a_key_may_be_restricted_to_collections(path: Path):
    """Their names are stored in Unicode's composed form, as the gallery stores them."""
    create_key(path, "desk", "manage", ["east", "Cafe\u0301"])

    (key,) = read_keys(path).keys
    assert key.collections == ("east", "Caf\u00e9")


def test_a_file_of_an_earlier_version_is_read(path: Path):
    """Its keys are for all collections, and as long as no key is restricted, an earlier version reads the file."""
    create_key(path, "desk", "match")

    assert "collections" not in path.read_text()
    assert read_keys(path).keys[0].collections is None


@pytest.mark.parametrize(
    ("role", "collections", "message"),
    [
        ("admin", ["east"], "^collections: a key with the role admin cannot be restricted"),
        ("manage", [], "collections: .* 1 to 20 collections"),
        ("manage", [f"hall {number}" for number in range(21)], "collections: .* 1 to 20 collections"),
        ("match", ["x" * 201], "collections: "),
    ],
)
def test_a_restriction_that_cannot_hold_is_refused(path: Path, role: str, collections: list[str], message: str):
    """An admin can create a key for every collection; a key for no collection could do nothing."""
    with pytest.raises(KeysError, match=message):
        create_key(path, "desk", role, collections)
    assert not path.exists()
