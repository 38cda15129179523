"""The keys file: names, roles and hashes of API keys, as JSON. The keys themselves are not stored.

A key has 256 random bits, which cannot be guessed. So one round of SHA-256 is enough: a slow password hash would only
slow down every request.
"""

import fcntl
import hmac
import logging
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, ValidationError, ValidationInfo, field_validator

from contracts.session import KEY_NAME_PATTERN, MOST_COLLECTIONS, KeyCollections
from serving.roles import Role
from serving.validation import explain

logger = logging.getLogger(__name__)

PREFIX = "sim_"
"""Prefix of every key, by which people and scanners for leaked secrets recognise it."""

ANONYMOUS = "anonymous"


class KeysError(Exception):
    """The keys file cannot be read, or a change is not possible; the message is for the operator."""


class KeyRefused(KeysError):
    """This change of the keys is not possible; the message says what would be."""


class UnknownKey(KeysError):
    """No key has that name."""


class ApiKey(BaseModel):
    """The record of a key, without the key."""

    model_config = {"extra": "forbid", "frozen": True}

    name: str = Field(pattern=KEY_NAME_PATTERN)
    role: Literal["match", "manage", "admin"]
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="of the key's characters, hex")
    created: datetime
    collections: KeyCollections = Field(default=None, description="to which it is restricted; None: all")

    @field_validator("collections")
    @classmethod
    def _refuse_restricted_admin(cls, collections: KeyCollections, info: ValidationInfo) -> KeyCollections:
        if collections is not None and info.data.get("role") == "admin":
            raise ValueError("a key with the role admin cannot be restricted to collections")
        return collections

    @field_validator("name")
    @classmethod
    def _refuse_reserved(cls, name: str) -> str:
        if name == ANONYMOUS:
            raise ValueError(f"{ANONYMOUS} stands for callers without a key; choose another name")
        return name

    @property
    def granted(self) -> Role:
        """The role of the key."""
        return Role[self.role.upper()]


class KeyList(BaseModel):
    """The content of the file."""

    model_config = {"extra": "forbid", "frozen": True}

    keys: tuple[ApiKey, ...] = ()

    @field_validator("keys")
    @classmethod
    def _refuse_namesakes(cls, keys: tuple[ApiKey, ...]) -> tuple[ApiKey, ...]:
        names = [key.name for key in keys]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"more than one key is called {', '.join(twice)}")
        return keys

    def find(self, token: str) -> ApiKey | None:
        """Return the key of a token, in a time that does not depend on where a wrong token differs."""
        return self.with_digest(digest_of(token))

    def with_digest(self, digest: str) -> ApiKey | None:
        """Return the key with that hash."""
        found = None
        for key in self.keys:
            if hmac.compare_digest(key.sha256, digest):
                found = key
        return found


def digest_of(token: str) -> str:
    """SHA-256 of a key, hex."""
    return sha256(token.encode()).hexdigest()


def read_keys(path: Path) -> KeyList:
    """Read a keys file.

    Raises:
        KeysError: it cannot be read, or is not a keys file.
    """
    try:
        return KeyList.model_validate_json(path.read_bytes())
    except OSError as exc:
        raise KeysError(f"the keys file {path} cannot be read: {exc.strerror}") from exc
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise KeysError(f"the keys file {path} is damaged: {where + ': ' if where else ''}{explain(first)}") from exc


def create_key(path: Path, name: str, role: str, collections: Sequence[str] | None = None) -> str:
    """Add a key to the file, which is created if it is missing.

    Args:
        path: of the file.
        name: of the key.
        role: ``match``, ``manage`` or ``admin``.
        collections: to which the key is restricted; None for all.

    Returns:
        The key. It cannot be read again later.

    Raises:
        KeysError: the name is taken or invalid, or the file cannot be written.
    """
    token = PREFIX + secrets.token_urlsafe(32)
    entry = {
        "name": name,
        "role": role,
        "sha256": digest_of(token),
        "created": datetime.now(UTC),
        "collections": None if collections is None else tuple(collections),
    }

    def add(known: KeyList) -> KeyList:
        if any(key.name == name for key in known.keys):
            raise KeyRefused(f"there is already a key called {name}; revoke it first or choose another name")
        try:
            return KeyList(keys=(*known.keys, ApiKey.model_validate(entry)))
        except ValidationError as exc:
            first = exc.errors(include_url=False)[0]
            accepted = (
                "a name of letters, digits and . _ -, 64 at most; match, manage or admin; "
                f"1 to {MOST_COLLECTIONS} collections for match and manage"
            )
            raise KeyRefused(f"{first['loc'][0]}: {explain(first)} (accepted: {accepted})") from exc

    _change(path, add)
    return token


def revoke_key(path: Path, name: str, *, keep_an_admin: bool = False) -> ApiKey:
    """Remove a key from the file. Running processes refuse it from the next request on.

    Args:
        path: of the file.
        name: of the key.
        keep_an_admin: refuse to remove the last key that may create others.

    Raises:
        KeysError: there is no key of that name, or the file cannot be written.
    """
    revoked: list[ApiKey] = []

    def remove(known: KeyList) -> KeyList:
        revoked.extend(key for key in known.keys if key.name == name)
        if not revoked:
            raise UnknownKey(f"no key is called {name}; known: {', '.join(key.name for key in known.keys) or 'none'}")
        left = tuple(key for key in known.keys if key.name != name)
        if keep_an_admin and revoked[0].role == "admin" and not any(key.role == "admin" for key in left):
            raise KeyRefused(f"{name} is the last key with the role admin; create another one first")
        return KeyList(keys=left)

    _change(path, remove)
    return revoked[0]


class WatchedKeys:
    """A keys file that is read again whenever it changes, so that revoking a key needs no restart.

    If the file cannot be read any more, no key is valid: one of them may have been revoked.
    """

    def __init__(self, path: Path) -> None:
        """Read it for the first time.

        Raises:
            KeysError: there is no usable file.
        """
        self._path = path
        self._seen = _state_of(path)
        self._known = read_keys(path)

    def current(self) -> KeyList:
        """The keys that are accepted at this moment."""
        state = _state_of(self._path)
        if state != self._seen:
            self._seen = state
            try:
                self._known = read_keys(self._path)
                logger.info("the keys file has changed: %d keys", len(self._known.keys))
            except KeysError as exc:
                self._known = KeyList()
                logger.error("every key is refused: %s", exc)
        return self._known


def _state_of(path: Path) -> tuple[int, ...] | None:
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_ino, state.st_mtime_ns, state.st_ctime_ns, state.st_size


def _change(path: Path, change: Callable[[KeyList], KeyList]) -> None:
    """Replace the file by one rename, under a lock against other processes."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path.parent):
            changed = change(read_keys(path) if path.exists() else KeyList())
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # readable by its owner alone
            try:
                with os.fdopen(handle, "w") as file:
                    # An earlier version can read the file as long as no key in it is restricted.
                    file.write(changed.model_dump_json(indent=2, exclude_none=True) + "\n")
                    file.flush()
                    os.fsync(file.fileno())
                Path(temporary).replace(path)
            except BaseException:
                Path(temporary).unlink()
                raise
    except OSError as exc:
        raise KeysError(f"the keys file {path} cannot be written: {exc.strerror}") from exc


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
