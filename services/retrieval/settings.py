"""Settings of the retrieval service, ``M1_*`` in the environment."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from clients.webhooks import read_secret
from core.gallery import Storage
from core.gallery.audio import MAX_AUDIO_BYTES
from core.imaging.copies import PREVIEW_SIDE
from core.imaging.decoding import LONGEST_SIDE, ImageLimits
from core.journal import Retention
from core.retrieval.retriever import TIME_BUDGET_S
from core.runtime.cores import count_cores
from services.gallery_settings import GallerySettings


def _check_webhook_url(url: SecretStr) -> SecretStr:
    try:
        parts = urlsplit(url.get_secret_value())
        is_url = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url or parts.username is not None or parts.fragment:
        raise ValueError(
            "no address of a webhook; accepted: a URL without user and fragment, https://museum.example/hook"
        )
    return url


def _check_webhook_secret(secret: SecretStr) -> SecretStr:
    read_secret(secret.get_secret_value())
    return secret


# Some receivers know their sender by a part of the address alone.
WebhookUrl = Annotated[SecretStr, AfterValidator(_check_webhook_url)]
WebhookSecret = Annotated[SecretStr, AfterValidator(_check_webhook_secret)]


class RetrievalSettings(GallerySettings):
    """Which encoder, which gallery, how much at once."""

    model_config = SettingsConfigDict(env_prefix="M1_", protected_namespaces=())

    port: int = Field(default=8001, ge=0, le=65535, description="port to listen on")
    data_dir: Path = Field(
        default=Path("data/gallery"), description="folder of the gallery; created if it does not exist"
    )

    verifier_url: str = Field(
        default="http://127.0.0.1:8002", description="URL of the verifier service, for calibrations"
    )

    audit_file: Path | None = Field(
        default=None,
        description="audit log of all changes to the gallery, one JSON object per line; `-`: standard output; "
        "unset: no audit log",
    )

    match_log_days: float = Field(
        default=180,
        ge=0,
        description="days for which the numbers of a match are kept, never its photo; 0: none are kept",
    )
    feedback_features_days: float = Field(
        default=0,
        ge=0,
        description="days for which the features of a photo with feedback are kept; 0: none are kept",
    )

    webhook_url: WebhookUrl | None = Field(
        default=None,
        description="address that receives events, such as `https://museum.example/hook`; see "
        "[api.md](api.md#webhooks)",
    )
    webhook_secret: WebhookSecret | None = Field(
        default=None, description="secret that signs the events: `whsec_` and the base64 of 24 to 64 random bytes"
    )
    webhook_private: bool = Field(
        default=False,
        description="allow a webhook in a private network, also without TLS; else its address must be public",
    )

    inbox_days: float = Field(
        default=0,
        ge=0,
        description="days for which photos are kept that visitors send because the answer was none, maybe or wrong; "
        "0: none are taken",
    )

    preview_side: int = Field(
        default=PREVIEW_SIDE,
        ge=PREVIEW_SIDE,
        le=LONGEST_SIDE,
        description="longest side of the previews of photos that are added, pixels; see [gpu.md](gpu.md#photos)",
    )

    trash_days: float = Field(
        default=7, ge=0, description="days for which a deletion can be undone; 0: photos are deleted at once"
    )

    encoder: str = Field(default="embedded", description="backend: `embedded` (CPU) or `dinov3`")
    model: str | None = Field(
        default=None, description="weights of the backend: a folder, a hub id, or `modelscope:owner/name`"
    )
    device: str | None = Field(
        default=None,
        description="device of the backend: `auto`, `cpu`, `cuda` or `cuda:N`; not every backend offers a choice",
    )
    encoder_options: dict[str, Any] = Field(
        default_factory=dict, description="further options of the backend, a JSON object"
    )
    search_device: str = Field(
        default="auto", description="device that searches large galleries: `auto`, `cpu`, `cuda` or `cuda:N`"
    )
    vector_index: Literal["faiss", "milvus"] = Field(
        default="faiss", description="search engine for similar photos: `faiss` (in memory) or `milvus` (a server)"
    )
    vector_index_options: dict[str, Any] = Field(
        default_factory=dict,
        repr=False,  # it may hold a token
        description="options of the vector index, a JSON object; see [vector-index.md](vector-index.md)",
    )
    time_budget_s: float = Field(
        default=TIME_BUDGET_S,
        ge=0,
        description="work on one search, CPU seconds; no further look at a photo begins that would exceed it",
    )
    threads: int = Field(default=1, ge=1, description="CPU threads per network operation")
    verifier_features: bool = Field(
        default=True,
        description="with `embedded`: compare unclear photos by ALIKED as well, and make its features of gallery "
        "photos in the background, about a second and 140 KB per photo; the `geometric` verifier reads them too",
    )

    batch_size: int | None = Field(
        default=None, ge=1, description="most photos encoded in one batch; unset: 1 with `embedded`, else 8"
    )
    batch_wait_ms: float = Field(
        default=0.0,
        ge=0,
        description="milliseconds for which a photo waits until its batch is full; 0: a batch is what arrives while "
        "the encoder is busy",
    )
    max_waiting: int | None = Field(
        default=None,
        ge=1,
        description="most searches that run or wait; more are refused with 503; unset: 16 with `embedded`, else 64",
    )
    max_uploads: int = Field(default=4, ge=1, description="most uploads processed at once")
    max_receiving: int = Field(
        default=32,
        ge=1,
        description="most uploads that are being received or wait to be processed; more are refused with 503",
    )
    workers: int | None = Field(
        default=None,
        ge=1,
        description="threads that decode photos and search; unset: 2 with `embedded`, else as many as there are cores",
    )

    max_photo_bytes: int = Field(default=32 * 1024 * 1024, gt=0, description="largest photo, bytes")
    max_audio_bytes: int = Field(default=MAX_AUDIO_BYTES, gt=0, description="largest sound recording of a place, bytes")
    max_photo_pixels: int = Field(
        default=100_000_000,
        gt=0,
        description="largest photo, width x height in pixels; formats other than JPEG may have half of that",
    )
    strip_metadata: bool = Field(
        default=False, description="store originals without position, camera, dates and texts; pixels stay unchanged"
    )
    max_upload_bytes: int = Field(default=4 * 1024**3, gt=0, description="largest upload to the gallery, bytes")
    max_upload_files: int = Field(default=1000, ge=1, description="most files in one upload")
    max_archive_entries: int = Field(default=20_000, ge=1, description="most entries in one ZIP archive")
    max_archive_bytes: int = Field(
        default=16 * 1024**3, gt=0, description="largest unpacked size of one ZIP archive, bytes"
    )

    @model_validator(mode="after")
    def _refuse_half_a_webhook(self) -> Self:
        if (self.webhook_url is None) != (self.webhook_secret is None):
            raise ValueError("M1_WEBHOOK_URL and M1_WEBHOOK_SECRET belong together; set both or neither")
        url = self.webhook_url
        if url is not None and urlsplit(url.get_secret_value()).scheme != "https" and not self.webhook_private:
            raise ValueError("M1_WEBHOOK_URL is not https; M1_WEBHOOK_PRIVATE=true allows http")
        return self

    @property
    def storage(self) -> Storage:
        """Where rows, photos and vectors are stored, and what searches the vectors."""
        return replace(
            super().storage,
            search_device=self.search_device,
            vector_index=self.vector_index,
            vector_index_options=self.vector_index_options,
        )

    @property
    def retention(self) -> Retention:
        """How long matches, features and photos of the inbox are kept."""
        return Retention(self.match_log_days, self.feedback_features_days, self.inbox_days)

    @property
    def image_limits(self) -> ImageLimits:
        """Limits that are checked before decoding."""
        return ImageLimits(max_bytes=self.max_photo_bytes, max_pixels=self.max_photo_pixels)

    @property
    def largest_batch(self) -> int:
        """Photos per batch: 1 for the embedded encoder, which is no faster in batches."""
        return self.batch_size or (1 if self.encoder == "embedded" else 8)

    @property
    def most_waiting(self) -> int:
        """Most searches that run or wait. On a CPU few, so that they are answered before the gateway's timeout."""
        return self.max_waiting or (16 if self.encoder == "embedded" else 64)

    @property
    def worker_threads(self) -> int:
        """Threads that decode and search: one per core where another device encodes, else two beside the encoder."""
        return self.workers or (2 if self.encoder == "embedded" else max(2, count_cores()))

    @property
    def options(self) -> dict[str, Any]:
        """Constructor arguments that the encoder must accept; an encoder without a ``model`` parameter refuses one."""
        return ({"model": self.model} if self.model is not None else {}) | self.encoder_options

    @property
    def hints(self) -> dict[str, Any]:
        """Constructor arguments that are passed only to encoders with such parameters."""
        return {"device": self.device} if self.device is not None else {}
