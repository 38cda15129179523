"""Running calibrations: one at a time over all collections and replicas; every replica can show and stop it."""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Literal

from clients.errors import ServiceError, ServiceRefused
from contracts.calibration import CalibrationJob, CalibrationRequest
from core.errors import SemanticMatchError
from core.journal import Job
from services.retrieval.background.calibration_run import CalibrationRun
from services.retrieval.background.calibrations import Calibrations
from services.retrieval.background.jobs import BackgroundJobs
from serving.audit import AuditLog
from serving.auth.identity import current_identity
from serving.errors import AlreadyRunning, ServingError
from serving.observability import current_request_id

_LOST = "the process that was making it has ended; start it again"

logger = logging.getLogger(__name__)


class CalibrationJobs:
    """Starts, shows and stops calibrations. Belongs to one event loop."""

    def __init__(
        self,
        *,
        calibrations: Calibrations,
        jobs: BackgroundJobs,
        audit: AuditLog,
        new_run: Callable[[], CalibrationRun],
    ) -> None:
        """Set the parts.

        Args:
            calibrations: fits and stores a measurement.
            jobs: of all replicas.
            audit: records every finished calibration.
            new_run: makes the object that measures one calibration.
        """
        self._calibrations = calibrations
        self._jobs = jobs
        self._audit = audit
        self._new_run = new_run
        self._running: dict[str, asyncio.Task[None]] = {}

    async def find(self, collection: str) -> CalibrationJob | None:
        """Return the running calibration, or the result of the latest one; None if there was none for a day."""
        job = await self._jobs.find(_name(collection))
        return None if job is None else _show(job)

    async def start(self, collection: str, wanted: CalibrationRequest) -> CalibrationJob:
        """Start a calibration.

        A request that is sent again because its answer was lost starts no second one, at any replica.

        Raises:
            UnknownCollection: the collection holds no image.
            AlreadyRunning: a calibration of this or another collection is running.
            GalleryUnavailable: the job cannot be recorded.
        """
        await self._calibrations.check(collection)
        name, owner = _name(collection), current_request_id()
        making = _Making(self._calibrations, self._audit, self._new_run(), collection, wanted)
        running = await self._jobs.begin(name, owner, making.body())
        if running is not None:
            if (running.name, running.owner) == (name, owner):
                return _show(running)
            raise AlreadyRunning(
                f"{_described(running, name)}; one at a time", accepted="when it has ended, or was cancelled: DELETE"
            )
        task = asyncio.create_task(self._jobs.run(name, owner, making.work, making.body))
        self._running[collection] = task
        task.add_done_callback(partial(self._forget_task, collection))
        return making.show()

    async def stop(self, collection: str) -> bool:
        """Stop the running calibration, also at another replica within about a second. Tell whether there was one."""
        task = self._running.get(collection)
        if task is None:
            return await self._jobs.stop(_name(collection))
        await _cancel(task)
        return True

    async def forget(self, collection: str) -> None:
        """Delete the record of a collection's calibration job."""
        await self._jobs.forget(_name(collection))

    async def close(self) -> None:
        """Stop this replica's calibration. Stored calibrations are kept."""
        for task in list(self._running.values()):
            await _cancel(task)

    def _forget_task(self, collection: str, ended: asyncio.Task[None]) -> None:
        if self._running.get(collection) is ended:
            del self._running[collection]


class _Making:
    """A calibration that runs at this replica, and its result."""

    def __init__(
        self,
        calibrations: Calibrations,
        audit: AuditLog,
        run: CalibrationRun,
        collection: str,
        wanted: CalibrationRequest,
    ) -> None:
        self._calibrations = calibrations
        self._audit = audit
        self._run = run
        self._collection = collection
        self._wanted = wanted
        self._state: Literal["running", "done", "failed", "cancelled"] = "running"
        self._error: str | None = None
        self._started_s = time.monotonic()
        self._started_at = _now()
        self._ended_at: str | None = None

    async def work(self) -> None:
        """Measure, fit and store."""
        try:
            measured = await self._run.measure(self._collection, self._wanted)
            with self._audit.change("calibration.make", collection=self._collection, target=self._wanted.target):
                await self._calibrations.fit(self._collection, measured, self._wanted)
            self._state = "done"
        except asyncio.CancelledError:
            self._state = "cancelled"
            raise
        except (ServiceError, SemanticMatchError, ServingError) as exc:
            detail = exc.detail if isinstance(exc, ServiceRefused) else None
            self._state, self._error = "failed", detail.message if detail is not None else str(exc)
            logger.warning("calibrating %r failed: %s", self._collection, self._error)
        except Exception:
            self._state, self._error = "failed", "internal error; the server's log has the details"
            logger.exception("calibrating %r failed unexpectedly", self._collection)
        finally:
            self._ended_at = _now()

    def body(self) -> str:
        """Write the progress as text, for all replicas."""
        return self.show().model_dump_json()

    def show(self) -> CalibrationJob:
        """Return the progress."""
        run, is_running = self._run, self._state == "running"
        elapsed_s = time.monotonic() - self._started_s
        left_s = elapsed_s / run.done * (run.total - run.done) if is_running and run.done else None
        return CalibrationJob(
            state=self._state,
            done=run.done,
            total=run.total,
            seconds_left=None if left_s is None else round(left_s, 1),
            waiting_for=run.waiting_for if is_running else None,
            target=self._wanted.target,
            started_at=self._started_at,
            ended_at=self._ended_at,
            error=self._error,
        )


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


def _name(collection: str) -> str:
    return f"calibration {collection}"


def _described(running: Job, wanted: str) -> str:
    """Describe a calibration in the way of ``wanted``; a key that is restricted to collections learns no other."""
    if running.name != wanted and current_identity().collections is not None:
        return "another collection is being calibrated"
    shown = _show(running)
    return (
        f"collection {running.name.partition(' ')[2][:100]!r} is being calibrated: {shown.done} of {shown.total} photos"
    )


def _show(job: Job) -> CalibrationJob:
    shown = CalibrationJob.model_validate_json(job.body)
    if not job.is_lost:
        return shown
    latest = datetime.fromtimestamp(job.at, UTC).isoformat(timespec="seconds")
    ended = {"state": "failed", "error": _LOST, "ended_at": latest, "seconds_left": None, "waiting_for": None}
    return shown.model_copy(update=ended)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
