"""The routes by which an operator sees whether a process lives, whether work would succeed, and what it runs."""

import platform
from collections.abc import Awaitable, Callable
from importlib.metadata import PackageNotFoundError, version

from fastapi import APIRouter, Response

from contracts.health import LiveBody, ReadyBody, VersionBody

Probe = Callable[[], Awaitable[ReadyBody]]
VersionProbe = Callable[[], Awaitable[VersionBody]]


def health_router(probe: Probe, version_probe: VersionProbe) -> APIRouter:
    """Build ``/health/live``, ``/health/ready`` and ``/version``.

    Args:
        probe: asked at every ``/health/ready``; should answer within a second.
        version_probe: asked at every ``/version``.
    """
    router = APIRouter(tags=["operation"])

    @router.get("/health/live", summary="Does the process answer?")
    async def live() -> LiveBody:
        return LiveBody()

    @router.get(
        "/health/ready",
        summary="Would work succeed now?",
        description="200 when a real forward pass has succeeded, else 503 and the reason.",
        responses={503: {"model": ReadyBody, "description": "not ready, and why"}},
    )
    async def ready(response: Response) -> ReadyBody:
        body = await probe()
        response.status_code = 200 if body.ready else 503
        return body

    @router.get("/version", summary="What is running?")
    async def show_version() -> VersionBody:
        return await version_probe()

    return router


def describe_version(*, encoder: str | None = None, verifier: str | None = None) -> VersionBody:
    """Describe this installation."""
    try:
        installed = version("semantic-image-matcher")
    except PackageNotFoundError:  # run from a checkout that was never installed
        installed = "0+checkout"
    return VersionBody(version=installed, encoder=encoder, verifier=verifier, python=platform.python_version())
