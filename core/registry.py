"""Backends by name, imported only when chosen."""

from collections.abc import Mapping
from importlib import import_module
from inspect import signature
from typing import Any, Generic, TypeVar

from core.errors import InvalidRequest, UnknownBackend

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
        """
        if name not in self.targets:
            raise UnknownBackend(f"unknown {self.role}: {name!r}; known: {', '.join(self.names)}")
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
