"""Settings of the verifier service, ``M3_*`` in the environment."""

from pathlib import Path
from typing import Any

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from core.imaging.decoding import ImageLimits
from services.gallery_settings import GallerySettings


class VerifierSettings(GallerySettings):
    """Which verifier, which gallery, how much at once."""

    model_config = SettingsConfigDict(env_prefix="M3_", protected_namespaces=())

    port: int = Field(default=8002, ge=0, le=65535, description="port to listen on")
    data_dir: Path = Field(
        default=Path("data/gallery"), description="folder of the retrieval service's gallery; opened read-only"
    )

    verifier: str = Field(
        default="geometric",
        description="backend: `geometric` (CPU or GPU), `qwen3-vl`, `openai-compatible` or `cascade`",
    )
    model: str | None = Field(
        default=None, description="weights of the backend: a folder, a hub id, or `modelscope:owner/name`"
    )
    device: str | None = Field(
        default=None,
        description="device of the backend: `auto`, `cpu`, `cuda` or `cuda:N`; not every backend offers a choice",
    )
    prompt_style: str | None = Field(default=None, description="default prompt style, for backends that use a prompt")
    verifier_options: dict[str, Any] = Field(
        default_factory=dict,
        repr=False,  # it may hold a server's key
        description="further options of the backend, a JSON object",
    )
    accept_threshold: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="confidence from which a place is given as the answer; unset: the collection's calibration "
        "decides, or else the prompt style, or else 0.5",
    )
    threads: int = Field(default=1, ge=1, description="CPU threads per network operation")

    max_waiting: int = Field(
        default=16, ge=1, description="most matches that are being verified or wait; more are refused"
    )
    max_photo_bytes: int = Field(default=32 * 1024 * 1024, gt=0, description="largest photo, bytes")
    max_photo_pixels: int = Field(
        default=100_000_000,
        gt=0,
        description="largest photo, width x height in pixels; formats other than JPEG may have half of that",
    )

    @property
    def image_limits(self) -> ImageLimits:
        """Limits that are checked before decoding."""
        return ImageLimits(max_bytes=self.max_photo_bytes, max_pixels=self.max_photo_pixels)

    @property
    def options(self) -> dict[str, Any]:
        """Constructor arguments that the verifier must accept; a verifier without a ``model`` parameter refuses one."""
        return ({"model": self.model} if self.model is not None else {}) | self.verifier_options

    @property
    def hints(self) -> dict[str, Any]:
        """Constructor arguments that are passed only to verifiers with such parameters."""
        named = {"device": self.device, "prompt_style": self.prompt_style}
        return {name: value for name, value in named.items() if value is not None}
