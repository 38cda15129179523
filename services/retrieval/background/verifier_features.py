"""Makes the features by which unclear photos are compared once more, while nobody waits for this service."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

from core.building.verifier_features import VerifierFeatureMaker, are_wanted
from core.errors import SemanticMatchError
from core.gallery import Gallery
from core.imaging.decoding import ImageLimits
from services.retrieval.background.jobs import BackgroundJobs
from services.retrieval.engine import RetrievalEngine
from serving.workers import Workers

_JOB = "verifier features"
_LOOK_EVERY_S = 5.0
_AFTER_FAILURE_S = 60.0
# After a search, its candidates are verified: the processors are needed for some time yet.
_QUIET_S = 2.0
_POLL_S = 0.2
# Visitors who never stop coming do not stop the work for ever.
_LONGEST_WAIT_S = 10.0
_MOST_FAILURES = 5

logger = logging.getLogger(__name__)


class VerifierFeatures:
    """The features of one gallery. Belongs to one event loop; made by ``making_verifier_features``."""

    def __init__(
        self,
        gallery: Gallery,
        engine: RetrievalEngine,
        jobs: BackgroundJobs,
        workers: Workers,
        limits: ImageLimits,
    ) -> None:
        """Set the parts; ``workers`` is one thread of low priority."""
        self._gallery = gallery
        self._engine = engine
        self._jobs = jobs
        self._workers = workers
        self._maker = VerifierFeatureMaker(gallery, limits)
        self._passed_generation = -1
        self._searches = 0
        self._searched_at = -_QUIET_S

    @property
    def left(self) -> int:
        """Photos that have none yet, as of the last pass."""
        return self._maker.left

    async def make_pending(self) -> None:
        """Make what is missing, unless nothing has changed, or another replica does it."""
        generation = await self._workers.run(lambda: self._gallery.generation)
        if generation == self._passed_generation:
            return
        owner = uuid4().hex
        if await self._jobs.begin(_JOB, owner, "") is None:
            await self._jobs.run(_JOB, owner, lambda: self._pass(generation), str)

    async def keep_making(self) -> None:
        """Call ``make_pending`` again and again, whatever happens."""
        while True:
            pause_s = _LOOK_EVERY_S
            try:
                await self.make_pending()
            except SemanticMatchError as exc:
                logger.warning("features for the verifier are made later: %s", exc)
                pause_s = _AFTER_FAILURE_S
            except Exception:
                logger.exception("features for the verifier are made later")
                pause_s = _AFTER_FAILURE_S
            await asyncio.sleep(pause_s)

    async def _pass(self, generation: int) -> None:
        """Go through the photos without features once; a photo that fails in an unforeseen way is left out."""
        failures = 0
        pending = self._maker.pending()
        while (image := await self._workers.run(next, pending, None)) is not None:
            await self._let_others_pass()
            try:
                await self._workers.run(self._maker.make, image)
            except SemanticMatchError as exc:
                logger.warning("features for the verifier are made later: %s", exc)
                return
            except Exception:
                logger.exception("no features for the verifier of image %s", image.image_id)
                failures += 1
                if failures == _MOST_FAILURES:
                    return
        self._passed_generation = generation

    async def _let_others_pass(self) -> None:
        """Wait until no search has run for a while, and no photo waits to be encoded; at most for some seconds."""
        until = time.monotonic() + _LONGEST_WAIT_S
        while time.monotonic() < until:
            now = time.monotonic()
            if self._engine.searches != self._searches or self._engine.gate.inside:
                self._searches, self._searched_at = self._engine.searches, now
            if now - self._searched_at >= _QUIET_S and not self._engine.waiting:
                return
            await asyncio.sleep(_POLL_S)


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
