"""Readiness and version of the gateway and its two services."""

import asyncio

from contracts.health import ReadyBody, ReadyCode, VersionBody
from gateway.dependencies import Gateway
from serving.health import describe_version


async def probe(gateway: Gateway) -> ReadyBody:
    """Check both services. Without the verifier the gateway is still ready, unless verification is required."""
    pipeline = gateway.pipeline
    retrieval, verifier = await asyncio.gather(pipeline.retrieval.ready(), pipeline.verifier.ready())
    needed = [retrieval, verifier] if pipeline.verification_required else [retrieval]
    awaited = [part for part in needed if not part.ready]
    code, reason = None, None
    if not retrieval.ready:
        code = retrieval.code or ReadyCode.SERVICE_UNAVAILABLE
        reason = retrieval.reason or "retrieval is not ready"
    elif not verifier.ready:
        code = ReadyCode.NOT_VERIFIED
        reason = f"{verifier.reason or 'the verifier is not ready'}; answers are not verified"
    elif retrieval.reason or verifier.reason:
        code = retrieval.code or verifier.code
        reason = retrieval.reason or verifier.reason
    return ReadyBody(
        ready=not awaited,
        loading=bool(awaited) and all(part.loading for part in awaited),
        process="gateway",
        code=code,
        reason=reason,
        details={
            "matches_at_work": gateway.gate.inside,
            "matches_at_most": gateway.gate.room,
            "photos_arriving": gateway.body_slots.inside,
            "verifier_left_alone": pipeline.breaker.is_open,
            "recent_matches": gateway.recent_times.count,
            "stage_ms": gateway.recent_times.summary(),
        },
        parts={"retrieval": retrieval, "verifier": verifier},
    )


async def version(gateway: Gateway) -> VersionBody:
    """Return the version and the models in use; the model of a service that cannot be reached is left out."""
    pipeline = gateway.pipeline
    retrieval, verifier = await asyncio.gather(pipeline.retrieval.version(), pipeline.verifier.version())
    return describe_version(
        encoder=retrieval.encoder if retrieval else None, verifier=verifier.verifier if verifier else None
    )
