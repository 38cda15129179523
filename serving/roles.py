"""Who may do what: each role may do everything that those below it may."""

from collections.abc import Callable
from enum import IntEnum
from typing import TypeVar

Endpoint = TypeVar("Endpoint", bound=Callable[..., object])

_DECLARED = "required_role"


class Role(IntEnum):
    """What a route asks for, and what a caller has.

    ``OPEN`` routes are for everybody, and a caller who is nobody has that role.
    """

    OPEN = 0
    MATCH = 1
    MANAGE = 2
    ADMIN = 3

    @property
    def word(self) -> str:
        """Its name in files, answers and settings."""
        return self.name.lower()


def requires(role: Role) -> Callable[[Endpoint], Endpoint]:
    """Declare which role a route asks for; put below the route's own decorator."""

    def declare(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _DECLARED, role)
        return endpoint

    return declare


def declared_role(endpoint: object) -> Role | None:
    """The role declared for an endpoint, None where its author forgot."""
    declared: Role | None = getattr(endpoint, _DECLARED, None)
    return declared


def required_role(endpoint: object) -> Role:
    """The role an endpoint asks for. A forgotten declaration closes the door instead of opening it."""
    declared = declared_role(endpoint)
    return Role.ADMIN if declared is None else declared
