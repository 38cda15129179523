"""Returns freed memory to the system from time to time, in both services."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from core.runtime.memory import release_free_memory

_EVERY_S = 1.0


@asynccontextmanager
async def trimming_memory() -> AsyncIterator[None]:
    """Return free memory to the system from time to time, until the block ends."""
    task = asyncio.create_task(_keep_trimming())
    try:
        yield
    finally:
        task.cancel()


async def _keep_trimming() -> None:
    while True:
        await asyncio.sleep(_EVERY_S)
        await asyncio.to_thread(release_free_memory)
