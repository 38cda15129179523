"""What the settings of all processes have in common. Values come from the environment, one prefix per process."""

import os
from typing import Literal, Self, TypeVar

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from serving.reception import Pace

Settings = TypeVar("Settings", bound="ProcessSettings")


class ProcessSettings(BaseSettings):
    """Base of the settings classes.

    A variable with the process's prefix that names no setting is an error: a misspelt one would otherwise be
    ignored in silence.
    """

    model_config = SettingsConfigDict(extra="forbid", frozen=True, env_ignore_empty=True)

    host: str = Field(default="127.0.0.1", description="address to listen on; 0.0.0.0 for all")
    port: int = Field(ge=0, le=65535, description="port to listen on")
    stall_timeout_s: float = Field(
        default=20, gt=0, description="a request that sends nothing for so long, or an answer nobody reads, is ended"
    )
    min_upload_rate: int = Field(
        default=16384, ge=1, description="bytes per second that an upload must make on average, after that time"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="the quietest log lines shown"
    )

    @property
    def pace(self) -> Pace:
        """How slowly a body may arrive."""
        return Pace(self.stall_timeout_s, self.min_upload_rate)

    @model_validator(mode="after")
    def _refuse_unknown_variables(self) -> Self:
        prefix = self.model_config.get("env_prefix", "")
        known = {f"{prefix}{name}".upper() for name in type(self).model_fields}
        unknown = sorted(name for name in os.environ if name.upper().startswith(prefix) and name.upper() not in known)
        if prefix and unknown:
            raise ValueError(f"unknown settings: {', '.join(unknown)}; known: {', '.join(sorted(known))}")
        return self


def read_settings(kind: type[Settings]) -> Settings:
    """Read a process's settings from the environment; leave with one line per mistake where they are wrong."""
    try:
        return kind()
    except ValidationError as exc:
        prefix = kind.model_config.get("env_prefix", "")
        mistakes = [
            f"{prefix}{'.'.join(map(str, error['loc'])).upper()}: {error['msg']}" if error["loc"] else error["msg"]
            for error in exc.errors()
        ]
        raise SystemExit("invalid settings\n  " + "\n  ".join(mistakes)) from exc
    except SettingsError as exc:  # a value that should be JSON and is not
        raise SystemExit(f"invalid settings\n  {exc}: {exc.__cause__}") from exc
