"""Keys that are restricted to some collections.

Only the retrieval service knows the collection of an image, of a deletion or of an answer, and the former names of
collections. So it checks the restriction, which the gateway passes on. ``authorize`` closes every route that neither
checks a restriction nor passes it on, so a route whose author has not thought of restricted keys is closed to them.
"""

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from serving.auth.identity import Identity
from serving.errors import Forbidden


async def get_restriction(request: Request) -> tuple[str, ...] | None:
    """Return the collections to which the caller's key is restricted; None for all. A dependency of routes."""
    identity: Identity = request.state.identity
    return identity.collections


OPEN_TO_RESTRICTED = Depends(get_restriction)
"""Declares that a route passes the restriction on, or is about no collection."""


def heeds_restriction(route: APIRoute) -> bool:
    """Tell whether a route depends on ``get_restriction``, itself or by another dependency."""
    return _depends_on_it(route.dependant)


def _depends_on_it(dependant: Dependant) -> bool:
    return dependant.call is get_restriction or any(map(_depends_on_it, dependant.dependencies))


def refusal(collections: tuple[str, ...]) -> Forbidden:
    """Return the error of a request that is about none of a key's collections, or about no single one."""
    return Forbidden(
        "this key may be used only for some collections, and the request is not about one of them",
        accepted=f"requests about one of these collections: {', '.join(collections)}",
    )
