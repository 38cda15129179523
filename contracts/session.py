"""Who a caller is to the gateway."""

from typing import Literal

from pydantic import BaseModel, Field


class SessionBody(BaseModel):
    """What the gateway knows of whoever asks."""

    name: str | None = Field(description="of the key; null without one")
    role: Literal["open", "match", "manage", "admin"] = Field(
        description="what they may do: nothing but look at the page, match, manage the gallery, everything"
    )


class KeyBody(BaseModel):
    """A key as operators know it: the key itself is written nowhere."""

    name: str
    role: Literal["match", "manage", "admin"]
    created: str = Field(description="UTC, ISO 8601")


class KeysBody(BaseModel):
    """The keys that are accepted at this moment."""

    guarded: bool = Field(description="false: this server asks nobody for a key")
    keys: list[KeyBody] = Field(default_factory=list, description="in the order in which they were made")
