"""Composes the three applications into one process; the gateway's clients call the services without sockets."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI

import gateway.app
from gateway.app import ServiceTransports
from gateway.settings import GatewaySettings
from standalone.in_process import InProcessTransport


def compose(
    settings: GatewaySettings, *, retrieval: FastAPI, verifier: FastAPI, on_ready: Callable[[], None] | None = None
) -> FastAPI:
    """Build a gateway that runs its services in its own process and lifespan.

    Args:
        settings: of the gateway; its two URLs are not used. Its ``/metrics`` also has the services' metrics.
        retrieval: the retrieval service's application.
        verifier: the verifier service's application.
        on_ready: called once both have loaded their models.
    """

    @asynccontextmanager
    async def in_process() -> AsyncIterator[ServiceTransports]:
        async with verifier.router.lifespan_context(verifier), retrieval.router.lifespan_context(retrieval):
            announcing = asyncio.create_task(_announce([retrieval, verifier], on_ready)) if on_ready else None
            try:
                yield ServiceTransports(InProcessTransport(retrieval), InProcessTransport(verifier))
            finally:
                if announcing is not None:
                    announcing.cancel()

    retrieval.state.verifier_transport = InProcessTransport(verifier)
    app = gateway.app.create_app(settings, services=in_process)
    for service in (retrieval, verifier):
        app.state.metrics.include(service.state.metrics)
        service.state.ending = app.state.ending
    return app


async def _announce(services: list[FastAPI], on_ready: Callable[[], None]) -> None:
    for service in services:
        await service.state.loading.loaded()
    on_ready()
