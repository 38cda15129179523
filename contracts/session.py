"""Who a caller is to the gateway."""

from typing import Literal

from pydantic import BaseModel, Field


class SessionBody(BaseModel):
    """What the gateway knows of whoever asks."""

    name: str | None = Field(description="of the key; null without one")
    role: Literal["open", "match", "manage", "admin"] = Field(
        description="what they may do: nothing but look at the page, match, manage the gallery, everything"
    )
