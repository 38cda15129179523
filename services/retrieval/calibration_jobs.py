"""Calibrations being made, as the gateway that makes one tells of it and all gateways may ask."""

from datetime import UTC, datetime

from contracts.calibration import CalibrationJob, JobAnswer, JobWord
from core.journal import Job
from services.retrieval.background.jobs import BackgroundJobs

_LOST = "whoever was making it has fallen silent; start it again"


class CalibrationJobs:
    """One of all collections at a time."""

    def __init__(self, jobs: BackgroundJobs) -> None:
        """Compose."""
        self._jobs = jobs

    async def hear(self, collection: str, word: JobWord) -> JobAnswer:
        """Write down what a gateway says of a calibration that it makes.

        Raises:
            GalleryUnavailable: it cannot be written down.
        """
        body = word.job.model_dump_json()
        if not word.begins:
            is_running = word.job.state == "running"
            return JobAnswer(go_on=await self._jobs.tell(_name(collection), word.holder, body, is_running=is_running))
        running = await self._jobs.begin(_name(collection), word.holder, body)
        if running is None:
            return JobAnswer(go_on=True)
        return JobAnswer(go_on=False, running=_collection(running.name), job=_show(running))

    async def find(self, collection: str) -> CalibrationJob | None:
        """The one being made, or how the latest ended; None where none was made for a day."""
        job = await self._jobs.find(_name(collection))
        return None if job is None else _show(job)

    async def stop(self, collection: str) -> bool:
        """Have the one being made stopped, by whichever gateway makes it; whether there was any."""
        return await self._jobs.stop(_name(collection))

    async def forget(self, collection: str) -> None:
        """Know nothing more of a collection's."""
        await self._jobs.forget(_name(collection))


def _name(collection: str) -> str:
    return f"calibration {collection}"


def _collection(name: str) -> str:
    return name.partition(" ")[2]


def _show(job: Job) -> CalibrationJob:
    shown = CalibrationJob.model_validate_json(job.body)
    if not job.is_lost:
        return shown
    heard_last = datetime.fromtimestamp(job.at, UTC).isoformat(timespec="seconds")
    ended = {"state": "failed", "error": _LOST, "ended_at": heard_last, "seconds_left": None, "waiting_for": None}
    return shown.model_copy(update=ended)
