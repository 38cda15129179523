"""Sound recordings of places."""

from pydantic import BaseModel, Field

from contracts.images import MAX_PLACE_ID, PlaceParams
from contracts.names import CollectionName
from contracts.texts import LanguageTag


class AudioParams(BaseModel):
    """Which recording is meant."""

    model_config = {"extra": "forbid"}

    collection: CollectionName = "default"
    place_id: str = Field(min_length=1, max_length=MAX_PLACE_ID)
    language: LanguageTag = Field(description="tag (BCP 47) of what is spoken; the collection's own language too")


class HeardParams(AudioParams, PlaceParams):
    """Which recording is wanted, and whether its place is found."""
