"""One row of a manifest, and the place that it describes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Literal
from uuid import uuid4

from core.building.grouping import place_id_of_name
from core.gallery.texts import change_texts
from core.gallery.values import TextChange
from core.results import Place

Role = Literal["reference", "query"]


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One row of a manifest; what a cell leaves open is empty.

    Attributes:
        file: relative path, NFC, with forward slashes.
        line: where the row ends in the manifest that it was read from, from 1; 0 of one that is to be written.
        texts: in further languages, by tag.
        recordings: paths of sound recordings, written as ``file`` is, by the tag of their language.
        is_hidden: whether the place is, by the first row that says it; None where the manifest does not say.
        role: what the photo is for; None where the manifest does not say.
        source: for per-source reports.
    """

    file: str
    line: int = 0
    place_id: str = ""
    place_name: str = ""
    description: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    latitude: float | None = None
    longitude: float | None = None
    texts: Mapping[str, TextChange] = field(default_factory=dict)
    recordings: Mapping[str, str] = field(default_factory=dict)
    is_hidden: bool | None = None
    role: Role | None = None
    source: str = ""

    @property
    def named_place(self) -> str:
        """Id of the place that it names; empty where it names none."""
        return self.place_id or (place_id_of_name(self.place_name) if self.place_name else "")

    @property
    def describes(self) -> bool:
        """Whether it says anything of the place."""
        texts = self.place_name or self.description or self.metadata or self.texts or self.recordings
        return bool(texts or self.is_hidden) or self.latitude is not None or self.longitude is not None

    def place(self) -> Place | None:
        """The place that the photo shows; None where nothing is said of it."""
        if not self.named_place and not self.describes:
            return None
        texts = change_texts({}, self.texts)
        translated = next((text.name for text in texts.values() if text.name), "")
        return Place(
            place_id=self.named_place or uuid4().hex,
            name=self.place_name or translated or self.place_id or PurePosixPath(self.file).stem,
            description=self.description,
            metadata=self.metadata,
            latitude=self.latitude,
            longitude=self.longitude,
            texts=texts,
            is_hidden=bool(self.is_hidden),
        )
