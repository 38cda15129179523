"""The whole path in one process: query photo -> candidates -> verdicts -> decision. For scripts and notebooks."""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass

from core.decision.acceptance import PLACES_CONSIDERED, Acceptance
from core.decision.answer import Decision, decide, decide_by_retrieval
from core.decision.evidence import pair_of
from core.decision.rule import models_in_use
from core.gallery import DEFAULT_COLLECTION
from core.imaging.decoding import decode_image
from core.m1_retrieval import M1GlobalRetrieval
from core.results import Candidate, Photo, Verdict
from core.retrieval.exclusion import Exclusion
from core.verifiers.base import Verifier, style_threshold, views_together
from core.verifiers.views import as_candidate, by_place


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """The answer to one photo.

    Attributes:
        retrieved: candidates in retrieval's order.
        ranked: those with a verdict, in final order; includes further views of the first places that were not shown
            together with a candidate.
        verdicts: in the order of ``ranked``; empty when nothing was verified.
        decision: the answer.
        timings_ms: per stage.
        cpu_s: seconds of work of the whole process meanwhile, all threads together.
    """

    retrieved: list[Candidate]
    ranked: list[Candidate]
    verdicts: list[Verdict]
    decision: Decision
    timings_ms: Mapping[str, float]
    cpu_s: float = 0.0


def match_photo(
    data: bytes,
    retrieval: M1GlobalRetrieval,
    verifier: Verifier | None,
    *,
    top_k: int = 5,
    collection: str = DEFAULT_COLLECTION,
    prompt_style: str | None = None,
    acceptance: Acceptance | None = None,
    exclusion: Exclusion | None = None,
) -> Match:
    """Find the place of the collection that a photo shows, if any.

    Args:
        data: the photo file.
        retrieval: with an index loaded.
        verifier: None answers from retrieval alone.
        top_k: candidates to verify, >= 1; at least five are, because a decision looks at the places beside the first.
        collection: where to search.
        prompt_style: for verifiers that read a prompt.
        acceptance: threshold of an answer; None uses the collection's calibration, and 0.5 without one.
        exclusion: images to leave out, as if the collection did not have them.

    Raises:
        InvalidImage: the bytes are not a readable photo.
        GalleryError: nothing to search in.
        BackendUnavailable: the verifier cannot answer.
    """
    ticks, worked = [time.perf_counter()], time.process_time()
    image = decode_image(data).image
    ticks.append(time.perf_counter())
    found = retrieval.retrieve(image, max(top_k, PLACES_CONSIDERED), collection=collection, exclusion=exclusion)
    ticks.append(time.perf_counter())
    if verifier is None:
        decision = decide_by_retrieval(found.candidates)
        return Match(found.candidates, found.candidates, [], decision, _timings(ticks), time.process_time() - worked)
    second = {found.second_features.extractor: found.second_features} if found.second_features else {}
    query = Photo(lambda: image, hashlib.sha256(data).hexdigest(), found.local_features, second.get)
    gallery = retrieval.gallery
    compared = found.candidates + found.further_views
    photos = gallery.photos([candidate.image for candidate in compared])
    groups = by_place(
        list(zip(compared, photos, strict=True)),
        lambda pair: pair[0].image.place.place_id,
        views_together(verifier, prompt_style),
    )
    asked = [as_candidate([photo for _, photo in group]) for group in groups]
    verdicts = verifier.verify(query, asked, prompt_style=prompt_style)
    shown = [[candidate for candidate, _ in group] for group in groups]
    pairs = [(images, verdict) for images, verdict in zip(shown, verdicts, strict=True) if verdict is not None]
    verified = [pair_of(images[0].image.place.place_id, images, verdict) for images, verdict in pairs]
    models = models_in_use(str(gallery.fingerprint), verifier.fingerprint, verifier.style(prompt_style))
    answer = decide(
        verified,
        gallery,
        collection,
        models,
        acceptance=acceptance,
        style_threshold=style_threshold(verifier, prompt_style),
    )
    ticks.append(time.perf_counter())
    return Match(
        retrieved=found.candidates,
        ranked=[pairs[index][0][0] for index in answer.order],
        verdicts=[pairs[index][1] for index in answer.order],
        decision=answer.decision,
        timings_ms=_timings(ticks),
        cpu_s=time.process_time() - worked,
    )


def _timings(ticks: list[float]) -> dict[str, float]:
    names = ("decode", "retrieve", "verify")
    spans = {name: 1000 * (end - start) for name, start, end in zip(names, ticks[:-1], ticks[1:], strict=False)}
    return spans | {"total": 1000 * (ticks[-1] - ticks[0])}
