"""Liveness, readiness and version bodies, the same for every process."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, Field


class LiveBody(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class ReadyCode(StrEnum):
    """Why work would fail now, or a part of it."""

    LOADING = "loading"
    MODEL_UNAVAILABLE = "model_unavailable"
    DEVICE_LOST = "device_lost"
    SERVERS_UNAVAILABLE = "servers_unavailable"
    REPLIES_UNREADABLE = "replies_unreadable"
    GALLERY_UNAVAILABLE = "gallery_unavailable"
    SEARCHES_MAY_FAIL = "searches_may_fail"
    SERVICE_UNAVAILABLE = "service_unavailable"
    NOT_VERIFIED = "not_verified"


SENTENCES: Mapping[ReadyCode, str] = {
    ReadyCode.LOADING: "a model is being loaded",
    ReadyCode.MODEL_UNAVAILABLE: "a model cannot be used; the operator can read why",
    ReadyCode.DEVICE_LOST: "the device that runs a model has failed; the process ends to be restarted",
    ReadyCode.SERVERS_UNAVAILABLE: "no model server answers",
    ReadyCode.REPLIES_UNREADABLE: "the model's replies cannot be read",
    ReadyCode.GALLERY_UNAVAILABLE: "the gallery does not answer",
    ReadyCode.SEARCHES_MAY_FAIL: "searches may fail at the moment",
    ReadyCode.SERVICE_UNAVAILABLE: "a service does not answer",
    ReadyCode.NOT_VERIFIED: "answers are not verified",
}
"""What is said to everybody. What a library, a database or a server said is for operators alone."""


class ReadyBody(BaseModel):
    """Whether work would succeed now. Ready means that a real forward pass has succeeded."""

    ready: bool
    loading: bool = Field(default=False, description="its model is being loaded for the first time, and may be soon")
    process: str = Field(description="gateway, retrieval or verifier")
    code: ReadyCode | None = Field(default=None, description="why not ready, or what fails although it is")
    reason: str | None = Field(default=None, description="the same in words: one sentence; more for admins")
    details: dict[str, Any] = Field(default_factory=dict, description="models, device, gallery size, queue depth")
    parts: dict[str, "ReadyBody"] = Field(default_factory=dict, description="the services behind a gateway")


class VersionBody(BaseModel):
    """What is running."""

    version: str
    encoder: str | None = None
    verifier: str | None = None
    python: str
