"""Builds the sample collection in the background, as an upload would."""

import asyncio
import logging
from contextlib import suppress
from functools import partial
from uuid import uuid4

from contracts.sample import SampleCollection, SampleQuery
from core.building.sample_photos import SAMPLE_COLLECTION, SAMPLE_PHOTOS, STRANGER, is_installed
from core.errors import BackendUnavailable, InvalidRequest, SemanticMatchError, UnknownCollection
from core.evaluation.simulated_photo import simulate_visitor_photo
from core.gallery import Gallery
from services.retrieval.background.jobs import BackgroundJobs
from services.retrieval.uploads.indexing import Indexer
from services.retrieval.uploads.submissions import Submission
from serving.path_prefix import link
from serving.workers import Workers

_QUERIES = (*SAMPLE_PHOTOS, STRANGER)
_JOB = "sample"
_SOURCE = "photographs inside the Python package scikit-image (skimage.data)"

logger = logging.getLogger(__name__)


class Sample:
    """The sample collection. Belongs to one event loop."""

    def __init__(self, gallery: Gallery, indexer: Indexer, jobs: BackgroundJobs, workers: Workers) -> None:
        """Set the parts."""
        self._gallery = gallery
        self._indexer = indexer
        self._jobs = jobs
        self._workers = workers
        self._building: asyncio.Task[None] | None = None
        self._failure = ""

    async def read(self, language: str) -> SampleCollection:
        """Return its state and progress."""
        present = len((await self._workers.run(self._place_ids)) & _sample_ids())
        # Another replica may be building it.
        job = await self._jobs.find(_JOB)
        reason = job.body if job is not None and not job.is_running else ""
        if self._is_building or (job is not None and job.is_running and not job.is_lost):
            state = "building"
        elif present == len(SAMPLE_PHOTOS):
            state = "ready"
        elif not is_installed():
            state = "unavailable"
        else:
            state = "failed" if reason else "absent"
        return SampleCollection.model_validate(
            {
                "collection": SAMPLE_COLLECTION,
                "state": state,
                "done": present,
                "total": len(SAMPLE_PHOTOS),
                "source": _SOURCE,
                "reason": reason if state == "failed" else None,
                "queries": [
                    SampleQuery(
                        place_id=None if photo is STRANGER else photo.place_id,
                        name=photo.name[language],
                        photographer=photo.photographer,
                        terms=photo.terms,
                        url=link(f"/sample/queries/{number}"),
                    )
                    for number, photo in enumerate(_QUERIES)
                ],
            }
        )

    async def build(self, language: str) -> SampleCollection:
        """Start to build it, unless it is being built; photos that are there are kept.

        Raises:
            BackendUnavailable: the photographs are not installed.
            InvalidRequest: a collection of that name holds other photos.
            GalleryUnavailable: the job cannot be recorded.
        """
        if not is_installed():
            raise BackendUnavailable("the sample's photographs are not installed; pip install 'scikit-image>=0.25'")
        others = (await self._workers.run(self._place_ids)) - _sample_ids()
        if others:
            raise InvalidRequest(f"collection {SAMPLE_COLLECTION!r} holds photos of yours; give it another name first")
        owner = uuid4().hex
        if not self._is_building and await self._jobs.begin(_JOB, owner, "") is None:
            self._failure = ""
            work = partial(self._add_all, language)
            self._building = asyncio.create_task(self._jobs.run(_JOB, owner, work, lambda: self._failure))
        return await self.read(language)

    async def query(self, number: int) -> bytes:
        """Return a test photo for the sample, a JPEG.

        Raises:
            InvalidRequest: there is no photo of that number.
            BackendUnavailable: the photographs are not installed.
        """
        if number >= len(_QUERIES):
            raise InvalidRequest(f"no sample photo {number}; give 0 to {len(_QUERIES) - 1}")
        photo = _QUERIES[number]
        return await self._workers.run(lambda: simulate_visitor_photo(photo.read(), photo.seed))

    async def finished(self) -> None:
        """Wait until this replica builds nothing."""
        if self._building is not None:
            await asyncio.wait({self._building})

    async def close(self) -> None:
        """Stop building; stored photos are kept, and a new build continues from there."""
        if self._building is not None:
            self._building.cancel()
            with suppress(asyncio.CancelledError):
                await self._building

    @property
    def _is_building(self) -> bool:
        return self._building is not None and not self._building.done()

    async def _add_all(self, language: str) -> None:
        """Add the missing photos one by one, to show progress; ``_failure`` is the reason of an early end."""
        for photo in SAMPLE_PHOTOS:
            submission = Submission(photo.file, photo.read, photo.place(language), byte_size=0)
            try:
                (outcome,) = await self._indexer.add(SAMPLE_COLLECTION, [submission])
            except SemanticMatchError as exc:
                outcome = exc
            if isinstance(outcome, SemanticMatchError):
                logger.warning("the sample collection could not be built: %s", outcome)
                self._failure = str(outcome)
                return
        with suppress(UnknownCollection):  # deleted meanwhile
            await self._workers.run(self._gallery.store_language, SAMPLE_COLLECTION, language)

    def _place_ids(self) -> set[str]:
        return {place.place.place_id for place in self._gallery.places(SAMPLE_COLLECTION, limit=1000).places}


def _sample_ids() -> set[str]:
    return {photo.place_id for photo in SAMPLE_PHOTOS}
