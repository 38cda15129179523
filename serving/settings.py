"""The common settings of all processes. Values come from the environment, with one prefix per process."""

import os
from typing import Annotated, ClassVar, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from serving.auth.exposure import NOWHERE, is_loopback
from serving.auth.guard import Access
from serving.auth.identity import Everybody, ServiceKeyHolders
from serving.body_slots import Pace
from serving.secrets import keep_settings_secret
from serving.validation import explain

Settings = TypeVar("Settings", bound="ProcessSettings")


def read_key(key: SecretStr | None) -> SecretStr | None:
    """Strip the whitespace around a key.

    Raises:
        ValueError: the key cannot be sent in a header; the message does not contain it.
    """
    if key is None:
        return None
    value = key.get_secret_value().strip()
    if not value or not all(" " <= letter <= "~" for letter in value):
        raise ValueError("no key: it is empty, or has control characters or letters beyond ASCII in it")
    return SecretStr(value)


HeaderKey = Annotated[SecretStr, AfterValidator(read_key)]
"""The type of a setting with a key that is sent in a header."""


class ProcessSettings(BaseSettings):
    """Base of the settings classes.

    A variable with the prefix of the process that names no setting is an error, so that misspelt ones are noticed.
    """

    model_config = SettingsConfigDict(extra="forbid", frozen=True, env_ignore_empty=True, hide_input_in_errors=True)

    guarded_by: ClassVar[str]
    """The setting that names the keys of this process."""

    host: str = Field(default="127.0.0.1", description="address to listen on; 0.0.0.0 for all")
    published_on: str | None = Field(
        default=None,
        description="in a container: the address on which its port is published, or `none`; unset: the same as HOST",
    )
    port: int = Field(ge=0, le=65535, description="port to listen on")
    stall_timeout_s: float = Field(
        default=20,
        gt=0,
        description="seconds after which a connection is closed that sends nothing, or reads nothing of its answer",
    )
    min_upload_rate: int = Field(
        default=16384,
        ge=1,
        description="lowest average upload speed, bytes per second, checked after the stall timeout",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="lowest level of log lines shown: `DEBUG`, `INFO`, `WARNING` or `ERROR`"
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="format of log lines: `text`, or `json` with one object per line"
    )
    tracing: bool = Field(
        default=False, description="send OpenTelemetry spans; the standard OTEL_* variables set the destination"
    )

    @property
    def pace(self) -> Pace:
        """The lowest accepted pace of a request's body."""
        return Pace(self.stall_timeout_s, self.min_upload_rate)

    @property
    def unread_timeout_s(self) -> float:
        """How long a client may read next to nothing of its answer."""
        return self.stall_timeout_s

    @property
    def is_guarded(self) -> bool:
        """Whether callers need a key."""
        return getattr(self, self.guarded_by) is not None

    @property
    def is_on_loopback(self) -> bool:
        """Whether only programs of this machine can reach it, including its browsers."""
        return is_loopback(self.published_on or self.host)

    @model_validator(mode="after")
    def _keep_secrets(self) -> Self:
        keep_settings_secret({name: getattr(self, name) for name in type(self).model_fields})
        return self

    @model_validator(mode="after")
    def _refuse_open_doors(self) -> Self:
        if self.is_guarded or self.is_on_loopback or self.published_on == NOWHERE:
            return self
        prefix = self.model_config.get("env_prefix", "")
        address = f"{prefix}PUBLISHED_ON={self.published_on}" if self.published_on else f"{prefix}HOST={self.host}"
        raise ValueError(
            f"{address} lets other machines reach this process without a key: they could read and "
            f"change everything. Set {prefix}{self.guarded_by.upper()}, or listen on 127.0.0.1; inside a container, "
            f"{prefix}PUBLISHED_ON says where its port is published. See docs/security.md"
        )

    @model_validator(mode="after")
    def _refuse_unknown_variables(self) -> Self:
        prefix = self.model_config.get("env_prefix", "")
        known = {f"{prefix}{name}".upper() for name in type(self).model_fields}
        unknown = sorted(name for name in os.environ if name.upper().startswith(prefix) and name.upper() not in known)
        if prefix and unknown:
            raise ValueError(f"unknown settings: {', '.join(unknown)}; known: {', '.join(sorted(known))}")
        return self


class ServiceSettings(ProcessSettings):
    """Base of the two services' settings. Only processes of the same installation may call the services."""

    guarded_by = "service_key"

    service_key: HeaderKey | None = Field(
        default=None,
        min_length=20,
        description="secret of all processes, which callers must send; the same as GATEWAY_SERVICE_KEY",
    )
    stall_timeout_s: float = Field(
        default=20,
        gt=0,
        description="seconds after which a connection is closed that sends nothing; ten times as long for one that "
        "reads nothing of its answer",
    )

    @property
    def unread_timeout_s(self) -> float:
        """How long the gateway may read next to nothing of an answer.

        It reads at the pace of its visitor, and pauses until its kernel has sent a megabyte of what it has read.
        """
        return 10 * self.stall_timeout_s

    @property
    def access(self) -> Access:
        """The access rules of the service."""
        if self.service_key is not None:
            return Access(ServiceKeyHolders(self.service_key.get_secret_value()), strangers=False)
        return Access(Everybody(), allowed_hosts=() if self.is_on_loopback else None)


def read_settings(kind: type[Settings]) -> Settings:
    """Read the settings of a process from the environment; exit with one line per mistake if there are any."""
    try:
        return kind()
    except ValidationError as exc:
        prefix = kind.model_config.get("env_prefix", "")
        mistakes = [
            f"{prefix}{'.'.join(map(str, error['loc'])).upper()}: {explain(error)}" if error["loc"] else explain(error)
            for error in exc.errors()
        ]
        raise SystemExit("invalid settings\n  " + "\n  ".join(mistakes)) from exc
    except SettingsError as exc:  # a value that should be JSON
        raise SystemExit(f"invalid settings\n  {exc}: {exc.__cause__}") from exc
