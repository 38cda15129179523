"""Settings of the retrieval service, ``M1_*`` in the environment."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from core.gallery import Storage
from core.imaging.decoding import ImageLimits
from core.journal import Retention
from core.retrieval.retriever import TIME_BUDGET_S
from services.gallery_settings import GallerySettings


class RetrievalSettings(GallerySettings):
    """Which encoder, which gallery, how much at once."""

    model_config = SettingsConfigDict(env_prefix="M1_", protected_namespaces=())

    port: int = Field(default=8001, ge=0, le=65535, description="port to listen on")
    data_dir: Path = Field(default=Path("data/gallery"), description="the gallery's folder; made if missing")

    audit_file: Path | None = Field(
        default=None,
        description="file to which every change of the gallery is appended, a JSON line each; `-`: standard output; "
        "unset: none",
    )

    match_log_days: float = Field(
        default=180, ge=0, description="how long the numbers of a match are kept, without the photo; 0 keeps none"
    )
    feedback_features_days: float = Field(
        default=0,
        ge=0,
        description="how long the features of a photo are kept that feedback was given on; 0 keeps none",
    )

    encoder: str = Field(default="embedded", description="backend: `embedded` (CPU) or `dinov3`")
    model: str | None = Field(default=None, description="weights of the backend: a folder or a hub id")
    device: str | None = Field(default=None, description="`auto`, `cpu`, `cuda` or `cuda:N`, for backends that choose")
    encoder_options: dict[str, Any] = Field(
        default_factory=dict, description="further options of the backend, a JSON object"
    )
    search_device: str = Field(
        default="auto", description="where large galleries are searched: `auto`, `cpu`, `cuda` or `cuda:N`"
    )
    vector_index: Literal["faiss", "milvus"] = Field(
        default="faiss", description="what finds similar photos: `faiss`, in memory, or `milvus`, a server"
    )
    vector_index_options: dict[str, Any] = Field(
        default_factory=dict,
        repr=False,  # it may hold a token
        description="options of that, a JSON object; see [vector-index.md](vector-index.md)",
    )
    time_budget_s: float = Field(
        default=TIME_BUDGET_S, ge=0, description="of one search, seconds; no further look at a photo begins after it"
    )
    threads: int = Field(default=1, ge=1, description="CPU threads per network operation")

    batch_size: int | None = Field(
        default=None, ge=1, description="photos encoded together at most; unset: 1 with `embedded`, else 8"
    )
    batch_wait_ms: float = Field(default=5.0, ge=0, description="how long a photo waits for company")
    max_waiting: int | None = Field(
        default=None,
        ge=1,
        description="searches at work or waiting, more are refused with 503; unset: 16 with `embedded`, else 64",
    )
    max_uploads: int = Field(default=4, ge=1, description="uploads to the gallery at work at once")
    max_receiving: int = Field(
        default=32, ge=1, description="uploads being received or waiting for work; more are refused with 503"
    )
    workers: int = Field(default=2, ge=1, description="threads that decode photos and search")

    max_photo_bytes: int = Field(default=32 * 1024 * 1024, gt=0, description="largest photo, bytes")
    max_photo_pixels: int = Field(
        default=100_000_000, gt=0, description="largest photo, width x height; half of it for all but JPEG"
    )
    strip_metadata: bool = Field(
        default=False, description="keep originals without position, camera, dates and texts; their pixels stay as sent"
    )
    max_upload_bytes: int = Field(default=4 * 1024**3, gt=0, description="largest upload to the gallery, bytes")
    max_upload_files: int = Field(default=1000, ge=1, description="files in one upload")
    max_archive_entries: int = Field(default=20_000, ge=1, description="entries of one ZIP archive")
    max_archive_bytes: int = Field(default=16 * 1024**3, gt=0, description="what one ZIP archive may unpack to")

    @property
    def storage(self) -> Storage:
        """Where rows, photos and vectors are kept, and where those are searched."""
        return replace(
            super().storage,
            search_device=self.search_device,
            vector_index=self.vector_index,
            vector_index_options=self.vector_index_options,
        )

    @property
    def retention(self) -> Retention:
        """How long what visitors asked is kept."""
        return Retention(self.match_log_days, self.feedback_features_days)

    @property
    def image_limits(self) -> ImageLimits:
        """What is refused before decoding."""
        return ImageLimits(max_bytes=self.max_photo_bytes, max_pixels=self.max_photo_pixels)

    @property
    def largest_batch(self) -> int:
        """Photos encoded together. The embedded encoder gains nothing from company, so nobody waits for any."""
        return self.batch_size or (1 if self.encoder == "embedded" else 8)

    @property
    def most_waiting(self) -> int:
        """Searches at work or waiting: what waits behind a CPU's encoder is answered before the gateway gives up."""
        return self.max_waiting or (16 if self.encoder == "embedded" else 64)

    @property
    def generic_options(self) -> dict[str, Any]:
        """Constructor arguments for those encoders that take them; others do without."""
        named = {"model": self.model, "device": self.device}
        return {name: value for name, value in named.items() if value is not None}
