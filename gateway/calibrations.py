"""Calibrations being made, one at a time, in the background of visitors' questions; held in memory alone."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from pydantic import ValidationError

from contracts.calibration import CalibrationChange, CalibrationJob, CalibrationReply, CalibrationRequest
from contracts.errors import ErrorBody
from gateway.calibration_client import CalibrationClient
from gateway.calibration_run import CalibrationRun
from gateway.clients import VerifierClient
from gateway.errors import AlreadyCalibrating, GatewayError, ServiceRefused

_KEPT = 100  # jobs that ended

logger = logging.getLogger(__name__)


class _Job:
    """A measurement under way, or what became of it."""

    def __init__(self, collection: str, wanted: CalibrationRequest, run: CalibrationRun) -> None:
        self.collection = collection
        self.wanted = wanted
        self.run = run
        self.task: asyncio.Task[None] | None = None
        self.error: str | None = None
        self._started_s = time.monotonic()
        self._started_at = _now()
        self._ended_at: str | None = None

    async def work(self, client: CalibrationClient) -> None:
        try:
            measured = await self.run.measure(self.collection, self.wanted)
            await client.keep(self.collection, measured)
        except GatewayError as exc:
            self.error = _words_of(exc)
            logger.warning("calibrating %r failed: %s", self.collection, self.error)
        except Exception:
            self.error = "internal error; the server's log has the details"
            logger.exception("calibrating %r failed unexpectedly", self.collection)
        finally:
            self._ended_at = _now()

    @property
    def is_running(self) -> bool:
        return self.task is not None and not self.task.done()

    def show(self) -> CalibrationJob:
        run, was_cancelled = self.run, self.task is not None and self.task.cancelled()
        state = "cancelled" if was_cancelled else "failed" if self.error else "running" if self.is_running else "done"
        elapsed_s = time.monotonic() - self._started_s
        return CalibrationJob(
            state=state,
            done=run.done,
            total=run.total,
            seconds_left=round(elapsed_s / run.done * (run.total - run.done), 1)
            if self.is_running and run.done
            else None,
            waiting_for=run.waiting_for if self.is_running else None,
            target=self.wanted.target,
            started_at=self._started_at,
            ended_at=self._ended_at,
            error=self.error,
        )


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
        self._jobs: dict[str, _Job] = {}
        self._starting = asyncio.Lock()

    async def read(self, collection: str) -> CalibrationReply:
        """What is on record, whether it holds, and what is being made.

        Raises:
            ServiceRefused: no such collection.
            GatewayError: the retrieval service cannot be asked.
        """
        stored = await self._client.read(collection, await self._verifier_in_use())
        job = self._jobs.get(collection)
        return CalibrationReply(**stored.model_dump(), job=None if job is None else job.show())

    async def start(self, collection: str, wanted: CalibrationRequest) -> CalibrationJob:
        """Begin to make one.

        Raises:
            AlreadyCalibrating: one is being made, of this collection or another.
            ServiceRefused: no such collection.
            GatewayError: the retrieval service cannot be asked.
        """
        async with self._starting:
            running = next((job for job in self._jobs.values() if job.is_running), None)
            if running is not None:
                shown = running.show()
                raise AlreadyCalibrating(
                    f"collection {running.collection[:100]!r} is being calibrated: "
                    f"{shown.done} of {shown.total} photos; one at a time"
                )
            await self._client.read(collection, None)
            self._jobs.pop(collection, None)
            while len(self._jobs) >= _KEPT:
                del self._jobs[next(iter(self._jobs))]
            run = CalibrationRun(self._client, self._verifier, self._is_busy)
            job = self._jobs[collection] = _Job(collection, wanted, run)
            job.task = asyncio.create_task(job.work(self._client))
        return job.show()

    async def change_target(self, collection: str, change: CalibrationChange) -> CalibrationReply:
        """Fit what was measured to another target; errors as ``read``."""
        await self._client.change(collection, change, await self._verifier_in_use())
        return await self.read(collection)

    async def remove(self, collection: str) -> None:
        """Cancel what is being made; where nothing is, forget what is on record. Errors as ``read``."""
        job = self._jobs.get(collection)
        if job is not None and job.is_running:
            await self._cancel(job)
        else:
            await self._client.remove(collection)

    async def close(self) -> None:
        """Cancel what is being made."""
        for job in self._jobs.values():
            await self._cancel(job)

    async def _cancel(self, job: _Job) -> None:
        if job.task is not None and job.is_running:
            job.task.cancel()
            await asyncio.wait([job.task])

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


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _words_of(exc: GatewayError) -> str:
    """What went wrong, in the words of the service that refused, where one did."""
    if isinstance(exc, ServiceRefused):
        try:
            return ErrorBody.model_validate_json(exc.body).error.message
        except ValidationError:
            pass
    return str(exc)
