"""What an upload would become, asked by names before any photo is sent."""

from typing import Annotated, Literal

from pydantic import Base64Bytes, BaseModel, BeforeValidator, Field

from contracts.images import Grouping, PlaceBody, UploadNoteBody
from contracts.names import CollectionName


def _replace_halves(name: object) -> object:
    return name.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if isinstance(name, str) else name


DiskName = Annotated[str, BeforeValidator(_replace_halves)]
"""A name that may hold halves of characters, as on Windows; they are replaced, as browsers do when they send files."""


class PlannedSource(BaseModel):
    """A folder or an archive: the names of what it holds."""

    model_config = {"extra": "forbid"}

    name: DiskName = Field(default="", max_length=1000, description="of the folder or the archive, without extension")
    paths: list[DiskName] = Field(default_factory=list, max_length=200_000, description="of a folder's files, relative")
    directory: Base64Bytes | None = Field(
        default=None,
        description="of an archive: its central directory as it stands in the file, base64; instead of `paths`",
    )
    photos: list[int] = Field(
        default_factory=list, description="files that are photos although their names do not say so, by number"
    )


class ManifestContent(BaseModel):
    """A manifest among the files."""

    model_config = {"extra": "forbid"}

    source: int = Field(ge=0)
    file: int = Field(ge=0)
    data: Base64Bytes


class PlanQuestion(BaseModel):
    """The names of an upload's files."""

    model_config = {"extra": "forbid"}

    sources: list[PlannedSource] = Field(min_length=1, max_length=100)
    manifests: list[ManifestContent] = Field(default_factory=list, max_length=100)
    grouping: Grouping = "auto"


class TemplateParams(BaseModel):
    """Which template is wanted."""

    model_config = {"extra": "forbid"}

    language: Literal["en", "zh"] = Field(default="en", description="of its headers")


class ManifestParams(TemplateParams):
    """Which collection is wanted as a manifest, or as an archive with one."""

    collection: CollectionName = "default"


class FilePlan(BaseModel):
    """What becomes of a file."""

    path: str
    kind: Literal["photo", "query", "recording", "other", "manifest", "clutter", "unlisted", "refused"] = Field(
        description="`query`: a photo to ask with, by its manifest; `recording`: named by a column such as `audio.en`; "
        "`other`: no photo; `unlisted`: not in the manifest"
    )
    place: int | None = Field(default=None, description="number in `places`; null: a place of its own")
    reason: str | None = None


class PlannedPlaceBody(PlaceBody):
    """A place, and how many of the photos show it."""

    images: int = 0


class PlanReply(BaseModel):
    """What becomes of all files.

    Where `manifests_needed` names any, nothing else is final: ask again with their content.
    """

    grouping: Literal["manifest", "folder", "photo"]
    files: list[list[FilePlan]] = Field(description="of every source, in the order given")
    places: list[PlannedPlaceBody]
    notes: list[UploadNoteBody] = Field(default_factory=list)
    missing: list[str] = Field(default_factory=list, description="what manifests name and is not there")
    manifests_needed: list[tuple[int, int]] = Field(default_factory=list, description="source and file")
