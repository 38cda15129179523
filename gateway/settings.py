"""Settings of the gateway, ``GATEWAY_*`` in the environment."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from serving.settings import ProcessSettings


class GatewaySettings(ProcessSettings):
    """Where the services are and how long they may take."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_")

    port: int = Field(default=8000, ge=0, le=65535, description="port to listen on")
    retrieval_url: str = Field(default="http://127.0.0.1:8001", description="the retrieval service")
    verifier_url: str = Field(default="http://127.0.0.1:8002", description="the verifier service")
    retrieval_timeout_s: float = Field(default=30, gt=0, description="for finding candidates")
    verifier_timeout_s: float = Field(
        default=60, gt=0, description="for verifying them; after that the answer is retrieval's own"
    )
    upload_timeout_s: float = Field(default=3600, gt=0, description="for adding a whole upload to the gallery")
    require_verification: bool = Field(
        default=False, description="answer 503, not retrieval's own decision, when the verifier is unavailable"
    )
    max_photo_bytes: int = Field(default=32 * 1024 * 1024, gt=0, description="largest photo taken for matching")
    max_concurrent: int = Field(default=128, gt=0, description="matches at work at once; more are refused with 503")
