"""Settings of the gateway, ``GATEWAY_*`` in the environment."""

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import NoDecode, SettingsConfigDict

from serving.settings import ProcessSettings

_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]+)?|https?://\[[0-9a-f:]+\](:[0-9]+)?")


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _check_origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    for origin in origins:
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise ValueError(
                f"{origin} is no origin; accepted: scheme, host and port as browsers send them, "
                "such as https://guide.example.org or http://localhost:5173, separated by commas, or *"
            )
    return origins


Origins = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_check_origins)]


class GatewaySettings(ProcessSettings):
    """Where the services are and how long they may take."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_")

    port: int = Field(default=8000, ge=0, le=65535, description="port to listen on")
    retrieval_url: str = Field(default="http://127.0.0.1:8001", description="the retrieval service")
    verifier_url: str = Field(default="http://127.0.0.1:8002", description="the verifier service")
    retrieval_timeout_s: float = Field(default=30, gt=0, le=3600, description="for finding candidates")
    verifier_timeout_s: float = Field(
        default=60, gt=0, le=3600, description="for verifying them; after that the answer is retrieval's own"
    )
    verifier_failures: int = Field(
        default=5, ge=1, description="failures of the verifier in a row after which it is left alone"
    )
    verifier_rest_s: float = Field(
        default=10, gt=0, description="for how long, before one match tries it again; the others are answered at once"
    )
    upload_timeout_s: float = Field(default=3600, gt=0, description="for adding a whole upload to the gallery")
    require_verification: bool = Field(
        default=False, description="answer 503, not retrieval's own decision, when the verifier is unavailable"
    )
    cors_origins: Origins = Field(
        default=(), description="web origins whose scripts may call the API, separated by commas; unset: none"
    )
    max_photo_bytes: int = Field(default=32 * 1024 * 1024, gt=0, description="largest photo taken for matching")
    max_receiving: int = Field(
        default=512, ge=1, description="photos being received at once; more are refused with 503"
    )
    max_received_bytes: int = Field(
        default=1024**3, gt=0, description="what photos being received or at work take of memory together, bytes"
    )
    max_concurrent: int = Field(default=128, gt=0, description="matches at work at once; more are refused with 503")
