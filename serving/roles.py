"""Roles of callers: every role includes those below it."""

from collections.abc import Callable
from enum import IntEnum
from typing import TypeVar

Endpoint = TypeVar("Endpoint", bound=Callable[..., object])

_DECLARED = "required_role"


class Role(IntEnum):
    """The role that a route requires, and that a caller has.

    ``OPEN`` routes need no key, and callers without a key have this role.
    """

    OPEN = 0
    MATCH = 1
    MANAGE = 2
    ADMIN = 3

    @property
    def word(self) -> str:
        """The name of the role in files, answers and settings."""
        return self.name.lower()


def requires(role: Role) -> Callable[[Endpoint], Endpoint]:
    """Declare the role that a route requires; a decorator below that of the route."""

    def declare(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _DECLARED, role)
        return endpoint

    return declare


def declared_role(endpoint: object) -> Role | None:
    """Return the role declared for an endpoint; None without a declaration."""
    declared: Role | None = getattr(endpoint, _DECLARED, None)
    return declared


def required_role(endpoint: object) -> Role:
    """Return the role that an endpoint requires; without a declaration, the highest."""
    declared = declared_role(endpoint)
    return Role.ADMIN if declared is None else declared
