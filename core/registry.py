"""Backends by name, imported only when chosen."""

import logging
from collections.abc import Callable, Mapping
from importlib import import_module
from inspect import Parameter, signature
from typing import Any, Generic, TypeVar

from core.errors import BackendUnavailable, InvalidRequest, UnknownBackend

Backend = TypeVar("Backend")

logger = logging.getLogger(__name__)


class Registry(Generic[Backend]):
    """Maps a backend's name to the ``"module:Class"`` that implements it.

    Strings, not classes, so that choosing one backend never imports the others' heavy libraries.
    """

    def __init__(self, role: str, targets: Mapping[str, str]) -> None:
        self.role = role
        self.targets = dict(targets)

    @property
    def names(self) -> list[str]:
        """Known names, sorted."""
        return sorted(self.targets)

    def create(self, name: str, hints: Mapping[str, Any] | None = None, /, **options: Any) -> Backend:
        """Import and construct the backend called ``name``.

        Args:
            name: of the backend.
            hints: options that mean something to some backends only, such as a device; one that this backend does not
                have is left out, and the log says so. ``options`` go before them.
            options: options that this backend must have.

        Raises:
            UnknownBackend: no such name; the message lists those that exist.
            InvalidRequest: an option that this backend does not have, or one that it lacks.
            BackendUnavailable: a package that the backend is built on is not installed.
        """
        if name not in self.targets:
            raise UnknownBackend(f"unknown {self.role}: {name!r}; known: {', '.join(self.names)}")
        try:
            return self._construct(name, hints or {}, options)
        except ModuleNotFoundError as error:
            raise BackendUnavailable(
                f"{self.role} {name!r} needs the package {error.name!r}, which is not installed here; "
                f"install the extra that brings it, or choose another of: {', '.join(self.names)}"
            ) from error

    def _construct(self, name: str, hints: Mapping[str, Any], options: Mapping[str, Any]) -> Backend:
        module, _, attribute = self.targets[name].partition(":")
        target = getattr(import_module(module), attribute)
        meaningless = [hint for hint in hints if not _takes(target, hint)]
        for hint in meaningless:
            logger.warning("%s %r takes no %s: %r means nothing to it", self.role, name, hint, hints[hint])
        options = {**{hint: value for hint, value in hints.items() if hint not in meaningless}, **options}
        try:
            signature(target).bind(**options)
        except TypeError as error:
            raise InvalidRequest(
                f"{self.role} {name!r} {error}; it takes: {', '.join(signature(target).parameters)}"
            ) from error
        backend: Backend = target(**options)
        return backend


def _takes(target: Callable[..., object], option: str) -> bool:
    parameters = signature(target).parameters
    return option in parameters or any(each.kind is Parameter.VAR_KEYWORD for each in parameters.values())
