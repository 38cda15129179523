"""One calibration being made by this gateway, which tells the retrieval service how far it is, for all gateways."""

import asyncio
import logging
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal
from uuid import uuid4

from pydantic import ValidationError

from contracts.calibration import CalibrationJob, CalibrationRequest, JobWord
from contracts.errors import ErrorBody
from gateway.calibration_client import CalibrationClient
from gateway.calibration_run import CalibrationRun
from gateway.errors import AlreadyCalibrating, GatewayError, ServiceRefused

TELL_EVERY_S = 1.0
_TELL_TIMEOUT_S = 5.0

logger = logging.getLogger(__name__)


class RunningCalibration:
    """A measurement under way, and what became of it.

    Attributes:
        collection: that is measured.
    """

    def __init__(
        self, client: CalibrationClient, run: CalibrationRun, collection: str, wanted: CalibrationRequest
    ) -> None:
        """Prepare.

        Args:
            client: of the service that keeps calibrations, and what is said of this one.
            run: measures.
            collection: to measure.
            wanted: what for.
        """
        self.collection = collection
        self._client = client
        self._run = run
        self._wanted = wanted
        self._holder = uuid4().hex  # its own, so that its first word said twice is known from another's
        self._state: Literal["running", "done", "failed", "cancelled"] = "running"
        self._error: str | None = None
        self._started_s = time.monotonic()
        self._started_at = _now()
        self._ended_at: str | None = None

    async def begin(self) -> None:
        """Claim the turn.

        Raises:
            AlreadyCalibrating: some gateway is making one, of this collection or another.
            GatewayError: the retrieval service cannot be asked.
        """
        answer = await self._client.tell(self.collection, self._word(begins=True))
        if not answer.go_on:
            job = answer.job
            progress = f"{job.done} of {job.total} photos" if job is not None else "just begun"
            raise AlreadyCalibrating(
                f"collection {(answer.running or '')[:100]!r} is being calibrated: {progress}; one at a time"
            )

    async def work(self) -> None:
        """Measure and have it kept, telling every second how far it is, until it ends or somebody wants it stopped."""
        measuring = asyncio.create_task(self._measure())
        try:
            while not (await asyncio.wait({measuring}, timeout=TELL_EVERY_S))[0]:
                if not await self._tell():
                    measuring.cancel()
        finally:
            measuring.cancel()
            await asyncio.wait({measuring})
            if self._state == "running":
                self._state = "cancelled"
            self._ended_at = _now()
            await self._tell()

    def show(self) -> CalibrationJob:
        """How far it is."""
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

    async def _measure(self) -> None:
        try:
            measured = await self._run.measure(self.collection, self._wanted)
            await self._client.keep(self.collection, measured)
            self._state = "done"
        except GatewayError as exc:
            self._state, self._error = "failed", _words_of(exc)
            logger.warning("calibrating %r failed: %s", self.collection, self._error)
        except Exception:
            self._state, self._error = "failed", "internal error; the server's log has the details"
            logger.exception("calibrating %r failed unexpectedly", self.collection)

    async def _tell(self) -> bool:
        """Whether to go on; also where nobody can be told, for a service that is away may come back."""
        with suppress(GatewayError, TimeoutError):
            async with asyncio.timeout(_TELL_TIMEOUT_S):
                return (await self._client.tell(self.collection, self._word())).go_on
        return True

    def _word(self, *, begins: bool = False) -> JobWord:
        return JobWord(holder=self._holder, job=self.show(), begins=begins)


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
