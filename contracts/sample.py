"""The sample collection: what it is made of, how far it is, and photos to try it with."""

from typing import Literal

from pydantic import BaseModel, Field

from contracts.verification import Language


class SampleParams(BaseModel):
    """The language of the texts."""

    model_config = {"extra": "forbid"}

    language: Language = Field(default="en", description="language of the places' names and descriptions")


class SampleQuery(BaseModel):
    """A test photo: a photograph of the sample as a visitor might have taken it, or one that is not in the sample."""

    place_id: str | None = Field(description="what it shows; null: nothing in the sample")
    name: str
    photographer: str
    terms: str = Field(description="terms under which the photograph may be used")
    url: str


class SampleCollection(BaseModel):
    """The sample collection and its progress."""

    collection: str = Field(description="its name")
    state: Literal["absent", "building", "ready", "failed", "unavailable"] = Field(
        description="`unavailable`: the photographs are not installed here, or the key is restricted to other "
        "collections; `failed`: see `reason`"
    )
    done: int = Field(description="number of photos in the collection")
    total: int
    source: str = Field(description="where the photographs come from")
    reason: str | None = Field(default=None, description="why there is no sample collection")
    queries: list[SampleQuery] = Field(description="photos to try it with")
