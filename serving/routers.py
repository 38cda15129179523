"""Routers whose routes an application serves as they are.

``FastAPI.include_router`` prepares every route once more, with what the application adds to it, when the first request
comes. Nothing is added to the routes of these routers: they authorize their callers and are named by themselves. So
they are prepared once, with their module.
"""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.params import Depends as Dependency
from fastapi.routing import APIRoute

from serving.auth.guard import authorize

AUTHORIZED = Depends(authorize)
"""Declares that a route authorizes its caller, as every route of every application does."""


class Router(APIRouter):
    """A router all of whose routes authorize their callers."""

    def __init__(self, *, dependencies: Sequence[Dependency] = (), **options: Any) -> None:
        """Build an empty router; dependencies and options as FastAPI's."""
        super().__init__(
            dependencies=[AUTHORIZED, *dependencies], generate_unique_id_function=operation_name, **options
        )

    def serve(self, app: FastAPI) -> None:
        """Add the routes to an application."""
        app.routes.extend(self.routes)


def operation_name(route: APIRoute) -> str:
    """Name a route's operation after its function; client generators use this name."""
    return route.name
