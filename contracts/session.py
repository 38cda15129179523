"""Who a caller is to the gateway."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from contracts.names import CollectionName

KEY_NAME_PATTERN = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"

MOST_COLLECTIONS = 20
"""Of a restricted key: the processes pass their names on in one header, of at most 64 KB with all others."""

KeyCollections = Annotated[tuple[CollectionName, ...], Field(min_length=1, max_length=MOST_COLLECTIONS)] | None
"""The names of the collections to which a key is restricted; None for all."""

_RESTRICTED = "names of the only collections for which the key may be used; null: all"


class SessionBody(BaseModel):
    """What the gateway knows about the caller."""

    name: str | None = Field(description="name of the key; null without a key")
    role: Literal["open", "match", "manage", "admin"] = Field(
        description="none: only see the page; match; manage: also change the gallery; admin: everything"
    )
    collections: KeyCollections = Field(default=None, description=_RESTRICTED)


class KeyBody(BaseModel):
    """Name and role of a key; the key itself is not stored."""

    name: str
    role: Literal["match", "manage", "admin"]
    collections: KeyCollections = Field(default=None, description=_RESTRICTED)
    created: str = Field(description="UTC, ISO 8601")


class NewKey(BaseModel):
    """A key to be created."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [{"name": "curator", "role": "manage"}]}}

    name: str = Field(pattern=KEY_NAME_PATTERN, description="who will use it; no other key's name")
    role: Literal["match", "manage", "admin"]
    collections: KeyCollections = Field(default=None, description=f"{_RESTRICTED}; not with `admin`")


class CreatedKey(BaseModel):
    """A new key, which cannot be read again."""

    name: str
    role: Literal["match", "manage", "admin"]
    collections: KeyCollections = Field(default=None, description=_RESTRICTED)
    key: str


class KeysBody(BaseModel):
    """The keys that are valid now."""

    guarded: bool = Field(description="false: this server needs no key")
    keys: list[KeyBody] = Field(default_factory=list, description="in the order of their creation")
