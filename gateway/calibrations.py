"""Calibrations on record and being made: one at a time, in the background of visitors' questions.

A calibration is made by the gateway that was asked, and what it has come to is told by every gateway.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from contracts.calibration import CalibrationChange, CalibrationJob, CalibrationReply, CalibrationRequest
from gateway.calibration_client import CalibrationClient
from gateway.calibration_job import RunningCalibration
from gateway.calibration_run import CalibrationRun
from gateway.clients import VerifierClient


class Calibrations:
    """What is on record and what is being made; made by ``open_calibrations``."""

    def __init__(self, client: CalibrationClient, verifier: VerifierClient, is_busy: Callable[[], bool]) -> None:
        """Compose.

        Args:
            client: of the service that keeps calibrations.
            verifier: says for which models they hold.
            is_busy: whether visitors are being answered at the moment.
        """
        self._client = client
        self._verifier = verifier
        self._is_busy = is_busy
        self._running: dict[str, asyncio.Task[None]] = {}

    async def read(self, collection: str) -> CalibrationReply:
        """What is on record, whether it holds, and what is being made.

        Raises:
            ServiceRefused: no such collection.
            GatewayError: the retrieval service cannot be asked.
        """
        stored = await self._client.read(collection, await self._verifier_in_use())
        return CalibrationReply(**stored.model_dump(), job=await self._client.job(collection))

    async def start(self, collection: str, wanted: CalibrationRequest) -> CalibrationJob:
        """Begin to make one.

        Raises:
            AlreadyCalibrating: one is being made, of this collection or another.
            ServiceRefused: no such collection.
            GatewayError: the retrieval service cannot be asked.
        """
        await self._client.read(collection, None)
        run = CalibrationRun(self._client, self._verifier, self._is_busy)
        job = RunningCalibration(self._client, run, collection, wanted)
        await job.begin()
        task = self._running[collection] = asyncio.create_task(job.work())
        task.add_done_callback(lambda ended: self._forget(collection, ended))
        return job.show()

    async def change_target(self, collection: str, change: CalibrationChange) -> CalibrationReply:
        """Fit what was measured to another target; errors as ``read``."""
        await self._client.change(collection, change, await self._verifier_in_use())
        return await self.read(collection)

    async def remove(self, collection: str) -> None:
        """Cancel what is being made; where nothing is, forget what is on record. Errors as ``read``.

        What another gateway makes ends within a second or so.
        """
        task = self._running.get(collection)
        if task is not None:
            await _cancel(task)
        elif not await self._client.stop(collection):
            await self._client.remove(collection)

    async def close(self) -> None:
        """Cancel what is being made."""
        for task in list(self._running.values()):
            await _cancel(task)

    def _forget(self, collection: str, ended: asyncio.Task[None]) -> None:
        if self._running.get(collection) is ended:
            del self._running[collection]

    async def _verifier_in_use(self) -> str | None:
        version = await self._verifier.version()
        return None if version is None else version.verifier


@asynccontextmanager
async def open_calibrations(
    client: CalibrationClient, verifier: VerifierClient, is_busy: Callable[[], bool]
) -> AsyncIterator[Calibrations]:
    """Lend them; at the end, one being made is cancelled. What is on record stays."""
    calibrations = Calibrations(client, verifier, is_busy)
    try:
        yield calibrations
    finally:
        await calibrations.close()


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
