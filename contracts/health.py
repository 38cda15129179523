"""Liveness, readiness and version bodies, the same for every process."""

from typing import Any, Literal

from pydantic import BaseModel, Field


class LiveBody(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class ReadyBody(BaseModel):
    """Whether work would succeed now. Ready means that a real forward pass has succeeded."""

    ready: bool
    loading: bool = Field(default=False, description="its model is being loaded for the first time, and may be soon")
    process: str = Field(description="gateway, retrieval or verifier")
    reason: str | None = Field(default=None, description="why it is not ready, or what fails although it is ready")
    details: dict[str, Any] = Field(default_factory=dict, description="models, device, gallery size, queue depth")
    parts: dict[str, "ReadyBody"] = Field(default_factory=dict, description="the services behind a gateway")


class VersionBody(BaseModel):
    """What is running."""

    version: str
    encoder: str | None = None
    verifier: str | None = None
    python: str
