"""Settings of the gateway, ``GATEWAY_*`` in the environment."""

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from serving.auth.browsers import is_host_name
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


def _check_hosts(hosts: tuple[str, ...]) -> tuple[str, ...]:
    for host in hosts:
        if not is_host_name(host):
            raise ValueError(f"{host} is no host name; accepted: names such as guide.example.org, separated by commas")
    return tuple(host.lower() for host in hosts)


def _check_proxies(proxies: tuple[str, ...]) -> tuple[str, ...]:
    for proxy in proxies:
        try:
            ip_network(proxy)
        except ValueError as exc:
            raise ValueError(
                f"{proxy} is no address; accepted: 10.0.0.5 or 10.0.0.0/24 and their like, separated by commas"
            ) from exc
    return proxies


Origins = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_check_origins)]
Hosts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_check_hosts)]
Proxies = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_check_proxies)]


class GatewaySettings(ProcessSettings):
    """Where the services are and how long they may take."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_")

    guarded_by = "keys_file"

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
    allowed_hosts: Hosts = Field(
        default=(),
        description="host names it is reached by, separated by commas; without keys and on loopback, "
        "localhost is always one, and no other name is answered",
    )
    trusted_proxies: Proxies = Field(
        default=(), description="addresses or networks of proxies whose X-Forwarded-For and -Proto are believed"
    )
    keys_file: Path | None = Field(
        default=None, description="file of hashed API keys; unset: everybody who reaches the gateway may do everything"
    )
    anonymous_role: Literal["none", "match"] = Field(
        default="none", description="what people may do without a key, where there are keys: nothing, or `match`"
    )
    rate_per_minute: int = Field(
        default=600, ge=0, description="requests a minute for each key; one that only reads counts a tenth; 0: no limit"
    )
    anonymous_rate_per_minute: int = Field(
        default=120, ge=0, description="the same for each address from which people come without a key"
    )
    service_key: SecretStr | None = Field(
        default=None, min_length=20, description="secret sent to both services; the same as their SERVICE_KEY"
    )
    audit_file: Path | None = Field(
        default=None, description="file to which every key that is made or revoked is appended; see M1_AUDIT_FILE"
    )
    max_photo_bytes: int = Field(
        default=32 * 1024 * 1024, gt=0, description="largest photo taken for matching, or several of one thing together"
    )
    max_receiving: int = Field(
        default=512, ge=1, description="photos being received at once; more are refused with 503"
    )
    max_received_bytes: int = Field(
        default=1024**3, gt=0, description="what photos being received or at work take of memory together, bytes"
    )
    max_concurrent: int = Field(default=128, gt=0, description="matches at work at once; more are refused with 503")
    longest_match_s: float = Field(
        default=3.5, gt=0, description="a match expected to take longer, by the pace of the latest, is refused with 503"
    )

    @model_validator(mode="after")
    def _refuse_a_role_without_keys(self) -> Self:
        if self.anonymous_role != "none" and self.keys_file is None:
            raise ValueError(
                "GATEWAY_ANONYMOUS_ROLE says what people may do without a key, but there are no keys, so everybody may "
                "do everything; set GATEWAY_KEYS_FILE as well"
            )
        return self
