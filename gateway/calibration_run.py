"""Measures one collection with its own photos, through the services that visitors are answered by.

Each photo, taken again from elsewhere, is asked about twice: with its place left out, as a photo of nothing in the
collection, and with itself left out where another photo shows its place, or else as it is, as a photo of a known place.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from contracts.calibration import CalibrationRequest, MeasuredCalibration, Origin, SampleBody
from contracts.images import ImageBody
from contracts.matching import LEAST_CONSIDERED
from contracts.verification import VerifyRequest
from gateway.calibration_client import CalibrationClient
from gateway.clients import VerifierClient
from gateway.errors import GatewayError, ServiceRefused, UnusableReply
from gateway.match.answers import candidate_refs

Answer = TypeVar("Answer")
Pause = Callable[[float], Awaitable[None]]

MOST_TRIES = 12
"""Of one call; with the pauses between them a service may be away for five minutes."""

_LONGEST_PAUSE_S = 60.0
# Visitors go first, but a stream of them that never ends does not stop a calibration for ever.
_LONGEST_WAIT_S = 10.0
_LOOK_EVERY_S = 0.2
_SEED = 0


class CalibrationRun:
    """One measurement.

    Attributes:
        done: photos asked about.
        total: photos to ask about; 0 until the collection is listed.
        waiting_for: why nothing moves; None while it does.
    """

    def __init__(
        self,
        retrieval: CalibrationClient,
        verifier: VerifierClient,
        is_busy: Callable[[], bool],
        pause: Pause = asyncio.sleep,
    ) -> None:
        """Prepare.

        Args:
            retrieval: finds candidates.
            verifier: judges them.
            is_busy: whether visitors are being answered at the moment.
            pause: waits so many seconds.
        """
        self._retrieval = retrieval
        self._verifier = verifier
        self._is_busy = is_busy
        self._pause = pause
        self._models: set[tuple[str, str]] = set()
        self._style: str | None = None
        self.done = 0
        self.total = 0
        self.waiting_for: str | None = None

    async def measure(self, collection: str, wanted: CalibrationRequest) -> MeasuredCalibration:
        """Ask about the collection's photos, chosen by chance; always the same ones of the same collection.

        Raises:
            ServiceRefused: an option is at fault, or the collection is gone.
            GatewayError: a service stayed away for minutes, or its models were changed meanwhile.
        """
        images = await self._patiently(lambda: self._retrieval.images(collection))
        chance = random.Random(_SEED)
        views = Counter(image.place.id for image in images)
        chosen = chance.sample(images, min(wanted.photos, len(images)))
        self.total = 2 * len(chosen)
        samples: list[SampleBody] = []
        for image in chosen:
            photo = await self._rephotographed(image, chance.randrange(2**31))
            if photo is None:
                self.total -= 2
                continue
            place = image.place.id
            others = {"leave_out_image": image.id} if views[place] > 1 else {}
            for known, leave_out in ((False, {"leave_out_place": place}), (True, others)):
                score, first = await self._ask(photo, collection, wanted.prompt_style, leave_out)
                origin: Origin = "simulated" if known else "left out"
                samples.append(SampleBody(score=score, known=known, right=known and first == place, origin=origin))
                self.done += 1
        samples += await self._strangers(collection, wanted, chance, {image.content_hash for image in images})
        return MeasuredCalibration(
            target=wanted.target,
            verifier=await self._verifier_fingerprint(),
            prompt_style=self._style,
            samples=samples,
            use_feedback=wanted.use_feedback,
        )

    async def _strangers(
        self, collection: str, wanted: CalibrationRequest, chance: random.Random, own: set[str]
    ) -> list[SampleBody]:
        """Photos of other collections, half as many as of its own: photos of nothing in this one."""
        listed = await self._patiently(lambda: self._retrieval.strangers(collection))
        others = [image for image in listed if image.content_hash not in own]
        chosen = chance.sample(others, min(wanted.photos // 2, len(others)))
        self.total += len(chosen)
        samples: list[SampleBody] = []
        for image in chosen:
            photo = await self._rephotographed(image, chance.randrange(2**31))
            if photo is not None:
                score, _ = await self._ask(photo, collection, wanted.prompt_style, {})
                samples.append(SampleBody(score=score, known=False, right=False, origin="other collection"))
            self.done += 1
        return samples

    async def _rephotographed(self, image: ImageBody, seed: int) -> bytes | None:
        """None where the photo cannot be had: deleted meanwhile, or damaged."""
        try:
            return await self._patiently(lambda: self._retrieval.rephotographed(image.id, seed))
        except ServiceRefused as exc:
            if exc.status < 500:
                return None
            raise

    async def _ask(
        self, photo: bytes, collection: str, prompt_style: str | None, leave_out: Mapping[str, str]
    ) -> tuple[float | None, str | None]:
        """Score and id of the first place; None where nothing was found."""
        await self._let_visitors_pass()
        found = await self._patiently(lambda: self._retrieval.search(photo, collection, LEAST_CONSIDERED, leave_out))
        if not found.candidates:
            return None, None
        request = VerifyRequest(
            collection=collection,
            prompt_style=prompt_style,
            candidates=candidate_refs(found),
        )
        verified = await self._patiently(lambda: self._verifier.verify([photo], [found.query_features], request))
        self._models.add((found.encoder, verified.verifier))
        self._style = verified.prompt_style
        if len(self._models) > 1:
            raise UnusableReply("the encoder or the verifier was changed during the calibration; start it again")
        if verified.decision is None or not verified.ranking:
            return None, None
        places = {each.image.id: each.image.place.id for each in found.candidates + found.further_views}
        return verified.decision.score, places.get(verified.ranking[0].image_id)

    async def _verifier_fingerprint(self) -> str:
        if self._models:
            return next(iter(self._models))[1]
        version = await self._verifier.version()
        if version is None or version.verifier is None:
            raise UnusableReply("the verifier service does not say what it runs")
        return version.verifier

    async def _let_visitors_pass(self) -> None:
        waited_s = 0.0
        while self._is_busy() and waited_s < _LONGEST_WAIT_S:
            await self._pause(_LOOK_EVERY_S)
            waited_s += _LOOK_EVERY_S

    async def _patiently(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Ask again, after longer and longer pauses, while a service is away or too busy."""
        tries = 0
        while True:
            tries += 1
            try:
                answer = await ask()
            except GatewayError as exc:
                refusal = exc if isinstance(exc, ServiceRefused) else None
                if tries == MOST_TRIES or (refusal is not None and refusal.status < 500):
                    raise
                self.waiting_for = str(exc)
                told = refusal.retry_after if refusal is not None else None
                least_s = float(told) if told is not None and told.isdecimal() else 0.0
                await self._pause(min(_LONGEST_PAUSE_S, max(least_s, 2.0 ** (tries - 1))))
            else:
                self.waiting_for = None
                return answer
