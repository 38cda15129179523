"""How places and gallery images look on the wire."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, Json, model_validator

from contracts import examples
from contracts.names import CollectionName
from contracts.texts import AudioBody, PlaceTextBody, ShownText, TextChanges

IMAGE_ID_PATTERN = "^[0-9A-Za-z_-]{1,100}$"
"""What an image id can look like; anything else is a fault of the request."""

MAX_PLACE_ID = 200
"""Characters of a place's id; names may be longer."""


MOST_HASHES = 500
"""In one question."""

MOST_MOVED = 500
"""Images, and places, in one request."""

PhotoFault = Literal["dark", "overexposed", "flat", "blurred", "small"]
"""Why a photo should be taken again."""

Grouping = Literal["auto", "folder", "photo"]
"""Which photos show the same place, where no manifest says it."""


def refuse_half_a_position(latitude: float | None, longitude: float | None) -> None:
    """Let pass a whole position or none.

    Raises:
        ValueError: one of the two is missing.
    """
    if (latitude is None) != (longitude is None):
        given, missing = ("latitude", "longitude") if longitude is None else ("longitude", "latitude")
        raise ValueError(f"{given} without {missing}; give both or neither")


class PlaceBody(BaseModel):
    """A physical spot or exhibit; `name` and `description` (Markdown) are in the collection's own language."""

    model_config = {"json_schema_extra": {"examples": [examples.PLACE]}}

    id: str
    name: str
    description: str = ""
    metadata: dict[str, Any] = Field(default_factory=dict)
    latitude: float | None = Field(default=None, ge=-90, le=90)
    longitude: float | None = Field(default=None, ge=-180, le=180)
    hidden: bool = Field(default=False, description="whether it is left out of every answer")
    shown: ShownText | None = Field(
        default=None, description="in an answer, and of one place: its texts as the caller reads them; null elsewhere"
    )


class ImageBody(BaseModel):
    """One gallery image."""

    model_config = {"json_schema_extra": {"examples": [examples.IMAGE]}}

    id: str
    collection: str
    place: PlaceBody
    filename: str
    media_type: str
    width: int
    height: int
    bytes: int
    content_hash: str = Field(description="sha256 of the original bytes, hex")
    added_at: str = Field(description="UTC, ISO 8601")
    file_url: str
    preview_url: str


class ImagePageBody(BaseModel):
    """One page of gallery images, oldest first."""

    images: list[ImageBody]
    total: int
    next_cursor: str | None = Field(default=None, description="pass as `cursor` for the next page; null on the last")


class _PlaceFields(BaseModel):
    model_config = {"extra": "forbid"}

    description: str | None = Field(default=None, max_length=20_000)
    metadata: dict[str, Any] | None = None
    latitude: float | None = Field(default=None, ge=-90, le=90)
    longitude: float | None = Field(default=None, ge=-180, le=180)
    texts: TextChanges | None = None
    hidden: bool | None = Field(default=None, description="true: leave the place out of every answer")


class ImageChangeBody(_PlaceFields):
    """The fields of an image that can be changed. Fields that are not sent stay unchanged.

    ``place_id`` moves the image to another place (made if new); the other fields belong to the place it then shows.
    """

    place_id: str | None = Field(default=None, min_length=1, max_length=200)
    place_name: str | None = Field(default=None, min_length=1, max_length=500)


class PlaceChange(_PlaceFields):
    """What may be changed of a place. Fields left out stay as they are; null forgets a position."""

    name: str | None = Field(default=None, min_length=1, max_length=500)


class MoveRequest(BaseModel):
    """Photos that are to show another place."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [examples.MOVE]}}

    collection: CollectionName
    place_id: str = Field(min_length=1, max_length=200, description="what they are to show; made if it is new")
    images: list[Annotated[str, Field(pattern=IMAGE_ID_PATTERN)]] = Field(default_factory=list, max_length=MOST_MOVED)
    places: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(
        default_factory=list, max_length=MOST_MOVED, description="ids of places, all of whose photos are moved"
    )


class ImageFilter(BaseModel):
    """Which gallery images to list. All conditions hold together."""

    model_config = {"extra": "forbid"}

    collection: CollectionName | None = None
    place_id: str | None = Field(default=None, min_length=1, max_length=200)
    q: str | None = Field(default=None, max_length=200, description="text in the place's name, description or filename")
    cursor: str | None = Field(default=None, max_length=4000, description="`next_cursor` of the previous page")
    limit: int = Field(default=50, ge=1, le=500)


class PlaceFilter(BaseModel):
    """Which places to list."""

    model_config = {"extra": "forbid"}

    collection: CollectionName | None = None
    q: str | None = Field(
        default=None,
        max_length=200,
        description="text in the place's name, id, description, metadata or texts in further languages",
    )
    hidden: bool | None = Field(default=None, description="true: only hidden places; false: only the others")
    cursor: str | None = Field(default=None, max_length=4000, description="`next_cursor` of the previous page")
    limit: int = Field(default=50, ge=1, le=500)


class PlaceParams(BaseModel):
    """Whether a place is found."""

    hidden: bool = Field(default=True, description="false: a hidden place is answered with 404")


class AddFields(BaseModel):
    """The text fields that go with uploaded files, for all of them alike.

    With neither ``place_id`` nor ``place_name`` each file is its own place. In an archive, its folders or its
    manifest name the places, and these fields fill what they leave open.
    """

    collection: CollectionName = "default"
    place_id: str | None = Field(default=None, min_length=1, max_length=200)
    place_name: str | None = Field(default=None, min_length=1, max_length=500)
    description: str = Field(default="", max_length=20_000)
    metadata: Json[dict[str, Any]] | None = Field(default=None, description="a JSON object of your own")
    latitude: float | None = Field(default=None, ge=-90, le=90)
    longitude: float | None = Field(default=None, ge=-180, le=180)
    grouping: Grouping = Field(
        default="auto",
        description="which photos of an archive show the same place, where no manifest says it: `folder`, those of a "
        "folder; `photo`, every photo is a place; `auto`, folders, but where all photos lie in one folder, names tell: "
        "titles are a place each, camera numbers and views one place",
    )
    dry_run: bool = Field(default=False, description="say what would become of the files, and add nothing")

    @model_validator(mode="after")
    def _refuse_half_a_position(self) -> Self:
        refuse_half_a_position(self.latitude, self.longitude)
        return self


class PlaceCorrectionBody(BaseModel):
    """What a manifest changes of one place, by column, as `description.en`; of a recording (`audio.en`) the file."""

    place_id: str
    name: str = Field(description="of the place now")
    before: dict[str, Any]
    after: dict[str, Any]


class AddOutcome(BaseModel):
    """The outcome of one uploaded file."""

    filename: str
    status: Literal["added", "duplicate", "rejected", "planned", "updated"] = Field(
        description="`planned` in a dry run; `updated` of a manifest that came without photos"
    )
    image: ImageBody | None = Field(default=None, description="the new or the already known image")
    reason: str | None = Field(default=None, description="why it was rejected, or where a duplicate is")
    code: str | None = Field(default=None, description="the error code of a rejection")
    faults: list[PhotoFault] = Field(
        default_factory=list, description="why an added photo should be taken again, worst first"
    )


class UploadNoteBody(BaseModel):
    """Something that was assumed, or not used."""

    code: Literal["names_guessed", "manifest_encoding", "columns_unused"]
    message: str
    detail: str = Field(description="an encoding, or columns")


class PlannedPlace(BaseModel):
    """A place that an upload names."""

    id: str | None = Field(description="null where a photo is a place of its own")
    name: str
    images: int = Field(description="how many of the upload's photos show it")


class AddReply(BaseModel):
    """Per-file outcome of an upload, in the order sent."""

    model_config = {"json_schema_extra": {"examples": [examples.ADDED]}}

    collection: str
    added: int
    duplicates: int
    rejected: int
    updated: int = Field(default=0, description="places whose texts or recordings a manifest has changed")
    would_update: int = Field(
        default=0, description="in a dry run: places that are there and that a manifest would change"
    )
    changes: list[PlaceCorrectionBody] = Field(
        default_factory=list, description="of the first 1,000 of them, what would change"
    )
    grouping: Literal["form", "manifest", "folder", "photo"] = Field(
        default="photo", description="what decided which photos show the same place"
    )
    notes: list[UploadNoteBody] = Field(default_factory=list)
    dry_run: bool = False
    places: int = Field(default=0, description="how many the photos show")
    first_places: list[PlannedPlace] = Field(default_factory=list, description="the first ten of them")
    results: list[AddOutcome]


class KnownQuestion(BaseModel):
    """Which photos and recordings the collection may already have. Lets a client send only the others."""

    model_config = {"extra": "forbid"}

    collection: CollectionName = "default"
    content_hashes: list[Annotated[str, Field(pattern="^[0-9a-f]{64}$")]] = Field(
        max_length=MOST_HASHES, description="sha256 of the files' bytes, hex"
    )
    places: bool = Field(default=False, description="also return the names of their places")


class KnownReply(BaseModel):
    """What the collection has: photos, which would be `duplicate`, and recordings, which manifests may name by hash."""

    known: list[str] = Field(description="hashes of the request that the collection has")
    places: dict[str, str] | None = Field(default=None, description="name of the place of every known photo, if wanted")


class PlaceSummaryBody(PlaceBody):
    """A place and how many images show it."""

    collection: str
    images: int
    preview_url: str | None = None
    texts: dict[str, PlaceTextBody] = Field(
        default_factory=dict, description="names and descriptions in further languages, by tag (BCP 47)"
    )
    recordings: dict[str, AudioBody] = Field(
        default_factory=dict, description="what visitors can listen to, by tag of the language that is spoken"
    )


class MoveReply(BaseModel):
    """The place that the photos show now."""

    moved: int = Field(description="how many showed another one")
    place: PlaceSummaryBody


class PlacePageBody(BaseModel):
    """One page of places, by name."""

    places: list[PlaceSummaryBody]
    total: int
    next_cursor: str | None = None


class CollectionSummaryBody(BaseModel):
    """A collection: one museum or park of a deployment."""

    id: str
    images: int
    places: int
    language: str | None = Field(
        default=None, description="tag of the language of its names and descriptions (BCP 47); null: not known"
    )
    former_names: list[str] = Field(
        default_factory=list, description="before it was renamed; visitors' links and QR codes with them lead to it"
    )


class CollectionList(BaseModel):
    """All collections."""

    collections: list[CollectionSummaryBody]
