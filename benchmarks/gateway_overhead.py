"""Measures the time that the gateway adds to a match, with services that answer at once, against calling them directly.

    python -m benchmarks.gateway_overhead [--kilobytes 300] [--rounds 200]

Both alternate in one run, so that other load affects both alike. Once in one process (the transports of ``make up``)
and once over three processes and real sockets. Target: at most 5 ms for a photo of 300 KB.
"""

import argparse
import asyncio
import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import numpy as np
import uvicorn
from httpx_aiohttp import AiohttpTransport
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.processes import free_port
from gateway.app import ServiceTransports, create_app
from gateway.settings import GatewaySettings

TARGET_MS = 5.0
_WARM_UP = 10
# Two views of 1,024 and 384 keypoints, packed.
FEATURE_BYTES = 100_000
CANDIDATES = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; return 0 if the target is met, else 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kilobytes", type=int, default=300, help="size of the photo")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--serve", type=int, metavar="PORT", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve:
        uvicorn.run(instant_services(), port=options.serve, log_level="warning")
        return 0
    photo = bytes(range(256)) * (options.kilobytes * 4)
    added = asyncio.run(_measure_all(photo, options.rounds))
    return 0 if max(added) <= TARGET_MS else 1


async def _measure_all(photo: bytes, rounds: int) -> list[float]:
    async with one_process() as (gateway, services):
        in_process = await _measure("one process", gateway, services, photo, rounds)
    async with three_processes() as (gateway, services):
        over_sockets = await _measure("three processes", gateway, services, photo, rounds)
    return [in_process, over_sockets]


async def _measure(
    name: str, gateway: httpx.AsyncClient, services: httpx.AsyncClient, photo: bytes, rounds: int
) -> float:
    """Alternate both ways; return the median of the added time, in milliseconds."""
    through, direct = [], []
    for _ in range(_WARM_UP + rounds):
        clocks = [_clocks()]
        (await gateway.post("/match", files={"file": ("q.jpg", photo)})).raise_for_status()
        clocks.append(_clocks())
        await _ask_directly(services, photo)
        clocks.append(_clocks())
        through.append(clocks[1] - clocks[0])
        direct.append(clocks[2] - clocks[1])
    added = np.array(through[_WARM_UP:]) - np.array(direct[_WARM_UP:])
    median, worst = np.median(added, axis=0), np.percentile(added, 95, axis=0)
    print(
        f"{name:16} through the gateway {np.median(through, axis=0)[0]:6.2f} ms, directly "
        f"{np.median(direct, axis=0)[0]:6.2f} ms: adds {median[0]:5.2f} ms (95 %: {worst[0]:.2f} ms; "
        f"of this process's CPU: {median[1]:.2f} ms), target {TARGET_MS:.0f} ms"
    )
    return float(median[0])


def _clocks() -> NDArray[np.float64]:
    """Return wall time and CPU time of this process, in milliseconds; other load does not change CPU time."""
    return np.array([time.perf_counter(), time.process_time()]) * 1000


async def _ask_directly(services: httpx.AsyncClient, photo: bytes) -> None:
    found = (await services.post("/search", content=photo)).json()
    files = {
        "request": (None, json.dumps({"candidates": []}), "application/json"),
        "file": ("photo", photo, "application/octet-stream"),
        "features": ("features", base64.b64decode(found["query_features"]), "application/octet-stream"),
    }
    (await services.post("/verify", files=files)).raise_for_status()


@asynccontextmanager
async def one_process() -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient]]:
    """Run gateway and services in this process, as ``python -m standalone`` does."""
    services = instant_services()

    @asynccontextmanager
    async def in_process() -> AsyncIterator[ServiceTransports]:
        yield ServiceTransports(httpx.ASGITransport(services), httpx.ASGITransport(services))

    app = create_app(GatewaySettings(), services=in_process)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as gateway,
        httpx.AsyncClient(transport=httpx.ASGITransport(services), base_url="http://localhost") as direct,
    ):
        yield gateway, direct


@asynccontextmanager
async def three_processes() -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient]]:
    """Run gateway and services in three processes, connected by sockets."""
    ports = [free_port() for _ in range(3)]
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    environment = {
        "GATEWAY_PORT": str(ports[0]),
        "GATEWAY_RETRIEVAL_URL": urls[1],
        "GATEWAY_VERIFIER_URL": urls[2],
        "GATEWAY_LOG_LEVEL": "WARNING",
    }
    commands = [[sys.executable, "-m", "gateway"], *([sys.executable, __file__, "--serve", str(p)] for p in ports[1:])]
    async with AsyncExitStack() as stack:
        for command in commands:
            process = subprocess.Popen(command, env={**os.environ, **environment})  # noqa: ASYNC220 - at start only
            stack.callback(process.wait)
            stack.callback(process.terminate)
        clients = [
            await stack.enter_async_context(httpx.AsyncClient(transport=AiohttpTransport(), base_url=url, timeout=30))
            for url in urls[:2]
        ]
        for client, path in zip(clients, ("/health/live", "/health/ready"), strict=True):
            await _wait_for(client, path)
        await _wait_for(clients[0], "/health/ready")
        yield clients[0], clients[1]


def instant_services() -> Starlette:
    """Build both services, which answer at once with replies of realistic size."""
    image = {
        "collection": "default", "filename": "a.jpg", "media_type": "image/jpeg", "width": 4000, "height": 3000,
        "bytes": 300_000, "content_hash": "0" * 64, "added_at": "2026-01-01T00:00:00+00:00",
    }  # fmt: skip
    candidates: list[dict[str, Any]] = [
        {
            "image": {
                **image,
                "id": f"image-{number}",
                "place": {"id": f"place-{number}", "name": f"Place {number}", "description": "text " * 40},
                "file_url": f"/index/images/image-{number}/file",
                "preview_url": f"/index/images/image-{number}/preview",
            },
            "similarity": 0.5,
            "rank": number,
        }
        for number in range(1, CANDIDATES + 1)
    ]
    search_reply = {
        "candidates": candidates,
        "decision": {"matched": True, "confidence": 0.5, "reason": "instant"},
        "encoder": "instant",
        "query_width": 4000,
        "query_height": 3000,
        "query_features": base64.b64encode(bytes(FEATURE_BYTES)).decode(),
        "timings_ms": {"total": 0.0},
    }
    verdict = {"is_match": True, "confidence": 0.9, "response": "instant"}
    verify_reply = {
        "ranking": [{"image_id": candidate["image"]["id"], "verdict": verdict} for candidate in candidates],
        "matched": True,
        "confidence": 0.9,
        "reason": "instant",
        "verifier": "instant",
        "timings_ms": {"total": 0.0},
    }
    bodies = {
        "/search": json.dumps(search_reply).encode(),
        "/verify": json.dumps(verify_reply).encode(),
        "/health/ready": json.dumps({"ready": True, "process": "instant"}).encode(),
    }

    async def answer(request: Request) -> Response:
        await request.body()
        return Response(bodies[request.url.path], media_type="application/json")

    return Starlette(routes=[Route(path, answer, methods=["GET", "POST"]) for path in bodies])


async def _wait_for(client: httpx.AsyncClient, path: str) -> None:
    for _ in range(300):
        try:
            if (await client.get(path)).status_code == 200:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.1)
    raise RuntimeError(f"{client.base_url} did not start")


if __name__ == "__main__":
    sys.exit(main())
