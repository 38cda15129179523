"""Settings of the gateway, ``GATEWAY_*`` in the environment."""

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from serving.auth.browsers import is_host_name
from serving.auth.exposure import is_loopback
from serving.path_prefix import is_prefix
from serving.settings import HeaderKey, ProcessSettings

_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]+)?|https?://\[[0-9a-f:]+\](:[0-9]+)?")


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _check_origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    for origin in origins:
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise ValueError(
                f"{origin} is not an origin; accepted: scheme, host and port as browsers send them, "
                "such as https://guide.example.org or http://localhost:5173, separated by commas, or *"
            )
    return origins


def _check_hosts(hosts: tuple[str, ...]) -> tuple[str, ...]:
    for host in hosts:
        if not is_host_name(host):
            raise ValueError(
                f"{host} is not a host name; accepted: names such as guide.example.org, separated by commas"
            )
    return tuple(host.lower() for host in hosts)


def _check_proxies(proxies: tuple[str, ...]) -> tuple[str, ...]:
    for proxy in proxies:
        try:
            ip_network(proxy)
        except ValueError as exc:
            raise ValueError(
                f"{proxy} is not an address; accepted: addresses such as 10.0.0.5 or networks "
                "such as 10.0.0.0/24, separated by commas"
            ) from exc
    return proxies


Origins = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_check_origins)]
Hosts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_check_hosts)]


def _check_root_path(path: str) -> str:
    path = path.rstrip("/")
    if not is_prefix(path):
        raise ValueError(f"{path!r:.80} is no path; accepted: /shitu or /guides/museum and their like, or nothing")
    return path


def _check_public_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    url = url.rstrip("/")
    if not is_url or parts.username is not None or url != f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}":
        raise ValueError(
            f"{url!r:.80} is no address of this server; accepted: a URL without query, such as "
            "https://guide.example.org or https://museum.example/shitu"
        )
    if is_loopback(parts.hostname or ""):
        raise ValueError(f"only this machine can reach {url}; accepted: the address that visitors' phones open")
    return url


RootPath = Annotated[str, AfterValidator(_check_root_path)]
PublicUrl = Annotated[str, AfterValidator(_check_public_url)]
Proxies = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_check_proxies)]


class GatewaySettings(ProcessSettings):
    """Where the services are and how long they may take."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_")

    guarded_by = "keys_file"

    port: int = Field(default=8000, ge=0, le=65535, description="port to listen on")
    retrieval_url: str = Field(default="http://127.0.0.1:8001", description="URL of the retrieval service")
    verifier_url: str = Field(default="http://127.0.0.1:8002", description="URL of the verifier service")
    retrieval_timeout_s: float = Field(default=30, gt=0, le=3600, description="seconds to wait for the candidates")
    verifier_timeout_s: float = Field(
        default=60,
        gt=0,
        le=3600,
        description="seconds to wait for the verifier; after that, retrieval's own rule decides",
    )
    verifier_failures: int = Field(
        default=5, ge=1, description="failures in a row after which the verifier is no longer asked"
    )
    verifier_rest_s: float = Field(
        default=10,
        gt=0,
        description="seconds until one match tries a failed verifier again; the other matches are answered without "
        "it at once",
    )
    upload_timeout_s: float = Field(
        default=3600, gt=0, description="seconds to wait until an upload is added to the gallery"
    )
    require_verification: bool = Field(
        default=False, description="while the verifier is unavailable, answer 503 instead of using retrieval's own rule"
    )
    cors_origins: Origins = Field(
        default=(), description="web origins whose scripts may call the API, separated by commas; unset: none"
    )
    frame_ancestors: Origins = Field(
        default=(),
        description="web origins whose pages may show this page in a frame, as widget.js does, separated by commas; "
        "unset: none",
    )
    allowed_hosts: Hosts = Field(
        default=(),
        description="host names of this server, separated by commas; localhost is always allowed; without keys and "
        "on loopback, requests to any other host name are refused",
    )
    trusted_proxies: Proxies = Field(
        default=(),
        description="addresses or networks of proxies whose X-Forwarded-For and X-Forwarded-Proto headers are trusted",
    )
    root_path: RootPath = Field(
        default="",
        description="path under which a proxy publishes this server, such as `/shitu`; X-Forwarded-Prefix of a trusted "
        "proxy has priority",
    )
    public_url: PublicUrl | None = Field(
        default=None,
        description="address that visitors open, for QR codes, such as `https://guide.example.org`; unset: the address "
        "at which the operator opened the page",
    )
    keys_file: Path | None = Field(
        default=None, description="file of hashed API keys; unset: everybody who reaches the gateway may do everything"
    )
    anonymous_role: Literal["none", "match"] = Field(
        default="none", description="role of callers without a key, where keys exist: `none` or `match`"
    )
    rate_per_minute: int = Field(
        default=600,
        ge=0,
        description="requests per minute for every key; a request that only reads counts as a tenth; 0: no limit",
    )
    anonymous_rate_per_minute: int = Field(
        default=120, ge=0, description="the same limit for every address that sends requests without a key"
    )
    service_key: HeaderKey | None = Field(
        default=None,
        min_length=20,
        description="secret that the gateway sends to both services; the same as their SERVICE_KEY",
    )
    audit_file: Path | None = Field(
        default=None, description="audit log of keys that are created or revoked; see M1_AUDIT_FILE"
    )
    max_photo_bytes: int = Field(
        default=32 * 1024 * 1024,
        gt=0,
        description="largest photo for a match, bytes; several photos of one match together have the same limit",
    )
    max_receiving: int = Field(
        default=512, ge=1, description="most matches whose photos are being received at once; more are refused with 503"
    )
    max_received_bytes: int = Field(
        default=1024**3, gt=0, description="most memory for photos that are being received or matched, bytes"
    )
    max_concurrent: int = Field(
        default=128, gt=0, description="most matches processed at once; more are refused with 503"
    )
    longest_match_s: float = Field(
        default=10.0,
        gt=0,
        description="time for each photo of a match, seconds; a match that would take more than 0.5 of it at the "
        "current pace is refused with 503, and one whose time is over is answered without the verifier",
    )

    @model_validator(mode="after")
    def _refuse_a_role_without_keys(self) -> Self:
        if self.anonymous_role != "none" and self.keys_file is None:
            raise ValueError(
                "GATEWAY_ANONYMOUS_ROLE says what people may do without a key, but there are no keys, so everybody may "
                "do everything; set GATEWAY_KEYS_FILE as well"
            )
        return self
