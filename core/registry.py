"""Backends by name, imported only when chosen."""

from collections.abc import Mapping
from importlib import import_module
from inspect import signature
from typing import Any, Generic, TypeVar

from core.errors import BackendUnavailable, InvalidRequest, UnknownBackend

Backend = TypeVar("Backend")


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

    def create(self, name: str, **options: Any) -> Backend:
        """Import and construct the backend called ``name``.

        Raises:
            UnknownBackend: no such name; the message lists those that exist.
            InvalidRequest: an option that this backend does not have, or one that it lacks.
            BackendUnavailable: a package that the backend is built on is not installed.
        """
        if name not in self.targets:
            raise UnknownBackend(f"unknown {self.role}: {name!r}; known: {', '.join(self.names)}")
        try:
            return self._construct(name, options)
        except ModuleNotFoundError as error:
            raise BackendUnavailable(
                f"{self.role} {name!r} needs the package {error.name!r}, which is not installed here; "
                f"install the extra that brings it, or choose another of: {', '.join(self.names)}"
            ) from error

    def _construct(self, name: str, options: Mapping[str, Any]) -> Backend:
        module, _, attribute = self.targets[name].partition(":")
        target = getattr(import_module(module), attribute)
        try:
            signature(target).bind(**options)
        except TypeError as error:
            raise InvalidRequest(
                f"{self.role} {name!r} {error}; it takes: {', '.join(signature(target).parameters)}"
            ) from error
        backend: Backend = target(**options)
        return backend
