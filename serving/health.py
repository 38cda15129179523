"""Health routes: whether a process answers, whether it is ready, and its version."""

import platform
from collections.abc import Awaitable, Callable
from importlib.metadata import PackageNotFoundError, version

from fastapi import Request, Response

from contracts.health import SENTENCES, LiveBody, ReadyBody, ReadyCode, VersionBody
from serving.auth.restriction import OPEN_TO_RESTRICTED
from serving.roles import Role, requires
from serving.routers import Router
from serving.secrets import without_secrets

Probe = Callable[[], Awaitable[ReadyBody]]
VersionProbe = Callable[[], Awaitable[VersionBody]]


def health_router(probe: Probe, version_probe: VersionProbe) -> Router:
    """Build ``/health/live``, ``/health/ready`` and ``/version``.

    Args:
        probe: called at every ``/health/ready``; should return within a second.
        version_probe: called at every ``/version``.
    """
    router = Router(tags=["operation"])

    @router.get("/health/live", summary="Whether the process answers")
    @requires(Role.OPEN)
    async def live() -> LiveBody:
        return LiveBody()

    @router.get(
        "/health/ready",
        summary="Whether requests would succeed now",
        description="200 when a real forward pass has succeeded, else 503 and the reason. The reason in full and the "
        "details are for admins.",
        responses={503: {"model": ReadyBody, "description": "not ready, and why"}},
    )
    @requires(Role.OPEN)
    async def ready(request: Request, response: Response) -> ReadyBody:
        body = ReadyBody.model_validate_json(without_secrets((await probe()).model_dump_json()))
        if request.state.identity.role < Role.ADMIN:
            body = _without_details(body)
        response.status_code = 200 if body.ready else 503
        return body

    @router.get("/version", summary="What is running?", dependencies=[OPEN_TO_RESTRICTED])
    @requires(Role.MATCH)
    async def show_version() -> VersionBody:
        return await version_probe()

    return router


def _without_details(body: ReadyBody) -> ReadyBody:
    """Return what callers without a key may see: whether it works, and the general reason if not.

    The reason is a fixed sentence: messages of a library or server may contain addresses, folder names or a key.
    """
    code = body.code or (None if body.reason is None else ReadyCode.SERVICE_UNAVAILABLE)
    reason = None if code is None else SENTENCES[code]
    parts = {name: _without_details(part) for name, part in body.parts.items()}
    return body.model_copy(update={"code": code, "reason": reason, "details": {}, "parts": parts})


def describe_version(*, encoder: str | None = None, verifier: str | None = None) -> VersionBody:
    """Describe this installation."""
    try:
        installed = version("semantic-image-matcher")
    except PackageNotFoundError:  # run from a checkout that was never installed
        installed = "0+checkout"
    return VersionBody(version=installed, encoder=encoder, verifier=verifier, python=platform.python_version())
