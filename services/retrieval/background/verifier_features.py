"""Makes the features that only the verifier reads, photo by photo, while nobody waits for this service."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

from core.building.verifier_features import VerifierFeatureMaker, are_wanted
from core.errors import BackendUnavailable, GalleryUnavailable
from core.gallery import Gallery
from core.imaging.decoding import ImageLimits
from services.retrieval.background.jobs import BackgroundJobs
from services.retrieval.engine import RetrievalEngine
from serving.workers import Workers

_JOB = "verifier features"
_LOOK_EVERY_S = 5.0
_PAUSE_S = 0.2
# A stream of visitors that never ends does not stop the work for ever.
_MOST_PAUSES = 50

logger = logging.getLogger(__name__)


class VerifierFeatures:
    """The features of one gallery. Belongs to one event loop; made by ``making_verifier_features``.

    Attributes:
        left: photos that have none yet.
    """

    def __init__(
        self,
        gallery: Gallery,
        engine: RetrievalEngine,
        jobs: BackgroundJobs,
        workers: Workers,
        limits: ImageLimits,
    ) -> None:
        """Compose; ``workers`` is one thread of low priority."""
        self._gallery = gallery
        self._engine = engine
        self._jobs = jobs
        self._workers = workers
        self._maker = VerifierFeatureMaker(gallery, limits)
        self._looked_at = -1

    @property
    def left(self) -> int:
        """Photos that have none yet, as of the last look."""
        return self._maker.left

    async def make_pending(self) -> None:
        """Make what is missing, unless nothing has changed, or another replica is at it."""
        generation = await self._workers.run(lambda: self._gallery.generation)
        if generation == self._looked_at or not await self._workers.run(self._maker.pending):
            self._looked_at = generation
            return
        owner = uuid4().hex
        if await self._jobs.begin(_JOB, owner, "") is None:
            await self._jobs.run(_JOB, owner, self._make, str)

    async def keep_making(self) -> None:
        """Call ``make_pending`` again and again."""
        while True:
            try:
                await self.make_pending()
            except (GalleryUnavailable, BackendUnavailable) as exc:
                logger.warning("features for the verifier are made later: %s", exc)
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _make(self) -> None:
        try:
            while images := await self._workers.run(self._maker.pending):
                for image in images:
                    await self._let_others_pass()
                    await self._workers.run(self._maker.make, image)
        except (GalleryUnavailable, BackendUnavailable) as exc:
            logger.warning("features for the verifier are made later: %s", exc)

    async def _let_others_pass(self) -> None:
        for _ in range(_MOST_PAUSES):
            if not self._engine.gate.inside and not self._engine.waiting:
                return
            await asyncio.sleep(_PAUSE_S)


@asynccontextmanager
async def making_verifier_features(
    gallery: Gallery, engine: RetrievalEngine, jobs: BackgroundJobs, limits: ImageLimits, *, wanted: bool
) -> AsyncIterator[VerifierFeatures | None]:
    """Make them in the background as long as the block runs; None where this machine cannot, or needs none."""
    if not wanted or not are_wanted(gallery):
        yield None
        return
    with Workers(1, "verifier-features", in_background=True) as workers:
        making = VerifierFeatures(gallery, engine, jobs, workers, limits)
        task = asyncio.create_task(making.keep_making())
        try:
            yield making
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
