"""Backends by name, imported only when chosen."""

import logging
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from inspect import Parameter, signature
from typing import Any, Generic, TypeVar

from core.errors import BackendUnavailable, InvalidRequest, UnknownBackend

Backend = TypeVar("Backend")

logger = logging.getLogger(__name__)


class Registry(Generic[Backend]):
    """Maps a backend's name to the ``"module:Class"`` that implements it.

    Strings, not classes, so that choosing one backend never imports the others' heavy libraries.
    """

    def __init__(
        self, role: str, targets: Mapping[str, str], *, packages: Mapping[str, tuple[str, ...]] | None = None
    ) -> None:
        """Nothing is imported.

        Args:
            role: what the backends are, for messages.
            targets: ``"module:Class"`` by name.
            packages: by name, what a backend cannot run without, of those packages that not every installation has.
        """
        self.role = role
        self.targets = dict(targets)
        self.packages = dict(packages or {})

    @property
    def names(self) -> list[str]:
        """Known names, sorted."""
        return sorted(self.targets)

    @property
    def runnable(self) -> list[str]:
        """Names of the backends whose packages are installed here, sorted."""
        return [name for name in self.names if all(find_spec(package) for package in self.packages.get(name, ()))]

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
            others = ", ".join(other for other in self.runnable if other != name)
            raise BackendUnavailable(
                f"{self.role} {name!r} needs the package {error.name!r}, which is not installed here; install the "
                f"extra that brings it{f', or choose one that runs here: {others}' if others else ''}"
            ) from error

    def _construct(self, name: str, hints: Mapping[str, Any], options: Mapping[str, Any]) -> Backend:
        module, _, attribute = self.targets[name].partition(":")
        target = getattr(import_module(module), attribute)
        meaningless = [hint for hint in hints if not _takes(target, hint)]
        for hint in meaningless:
            logger.warning("%s %r takes no %s: %r means nothing to it", self.role, name, hint, hints[hint])
        options = {**{hint: value for hint, value in hints.items() if hint not in meaningless}, **options}
        accepted = ", ".join(signature(target).parameters) or "no options"
        # Without the values, which may be secrets.
        if unknown := [option for option in options if not _takes(target, option)]:
            raise InvalidRequest(f"{self.role} {name!r} takes no {', '.join(map(repr, unknown))}; it takes: {accepted}")
        try:
            signature(target).bind(**options)
        except TypeError as error:
            raise InvalidRequest(f"{self.role} {name!r} {error}; it takes: {accepted}") from error
        backend: Backend = target(**options)
        return backend


def _takes(target: Callable[..., object], option: str) -> bool:
    parameters = signature(target).parameters
    return option in parameters or any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters.values())
