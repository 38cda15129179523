"""Times a Qwen-VL verifier over visitors' photos: new and known ones, more candidates, written reasons, every stage.

Photos of one shape would hide what a new shape costs: kernels that are chosen, plans that are built.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image

from benchmarks.visitor_photos import Spread, draw_jpegs
from core.imaging.decoding import LONGEST_SIDE, decode_image
from core.results import Photo
from core.verifiers.qwen.qwen3_vl import Qwen3VLVerifier
from core.verifiers.qwen.qwen_files import QwenModel

STAGES = ("prepare", "tower", "text")


@dataclass(frozen=True, slots=True)
class StageTimes:
    """Mean milliseconds of one stage of a query.

    Attributes:
        wall: until its result is there; of ``prepare`` the sum over its threads.
        device: of the GPU's own work; 0 without one, and for what runs on the CPU.
    """

    wall: float
    device: float


@dataclass(frozen=True, slots=True)
class QueryTimes:
    """Times of verifying queries of all shapes.

    Attributes:
        tokens: visual tokens per photo, at most.
        candidates: K.
        new: the gallery's photos not cached; the first query of every shape and number of candidates is among these.
        known: the gallery's photos cached.
        first: the slowest of ``new``.
        explained: the model also writes its reasons about every pair; None where that was left out.
        stages: of ``known``, by name.
    """

    tokens: int
    candidates: int
    new: Spread
    known: Spread
    first: float
    explained: Spread | None
    stages: Mapping[str, StageTimes]

    def __str__(self) -> str:
        stages = ", ".join(f"{name} {stage.wall:.1f} / {stage.device:.1f}" for name, stage in self.stages.items())
        lines = [
            f"{self.candidates} candidates, {self.tokens} tokens per photo, nine shapes and 12 MP:",
            f"  photos new    {self.new}; the slowest, with all that a first time costs, {self.first:.1f} ms",
            f"  photos known  {self.known}",
            f"  stages, ms of wall time / of the device: {stages}",
        ]
        if self.explained is not None:
            lines.insert(3, f"  with reasons  {self.explained}")
        return "\n".join(lines)


def measure_queries(model: QwenModel, *, tokens: int, candidates: int, queries: int, explained: int) -> QueryTimes:
    """Verify queries one after another, each with other candidates.

    Args:
        model: on the device to measure.
        tokens: visual tokens per photo, at most.
        candidates: K.
        queries: of each kind.
        explained: queries for which the model writes reasons.
    """
    verifier = Qwen3VLVerifier(model, query_tokens=tokens, candidate_tokens=tokens)
    files = draw_jpegs(queries + candidates + queries)
    photos = [_photo(data, str(number)) for number, data in enumerate(files)]
    gallery, asked = photos[: queries + candidates], photos[queries + candidates :]

    def verify_ms(number: int, *, explain: bool = False) -> float:
        started = time.perf_counter()
        verifier.verify(asked[number], gallery[number : number + candidates], explain=explain)
        return (time.perf_counter() - started) * 1000

    new = []
    for number in range(queries):
        for shown in range(len(gallery)):
            verifier.tower.cache.discard((str(shown), tokens))
        new.append(verify_ms(number))
    for number in range(queries):  # by now every gallery photo is cached
        verify_ms(number)
    with _timing_stages(verifier) as stages:
        known = [verify_ms(number) for number in range(queries)]
    return QueryTimes(
        tokens=tokens,
        candidates=candidates,
        new=Spread.of(new),
        known=Spread.of(known),
        first=max(new),
        explained=Spread.of([verify_ms(number, explain=True) for number in range(explained)]) if explained else None,
        stages={name: StageTimes(wall / queries, device / queries) for name, (wall, device) in stages.items()},
    )


def _photo(data: bytes, content_hash: str) -> Photo:
    def load(side: int) -> Image.Image:
        return decode_image(data, max_side=side).image

    return Photo(lambda: load(LONGEST_SIDE), content_hash, load_reduced=load)


@contextmanager
def _timing_stages(verifier: Qwen3VLVerifier) -> Iterator[dict[str, tuple[float, float]]]:
    """Time the parts of a verifier; after the block, milliseconds of wall time and of the device by stage."""
    totals = dict.fromkeys(STAGES, (0.0, 0.0))
    calls: list[tuple[str, float, Sequence[torch.cuda.Event]]] = []
    on_cuda = verifier.device.is_cuda

    def timed(name: str, work: Callable[..., Any], *, on_device: bool) -> Callable[..., Any]:
        def run(*arguments: Any, **options: Any) -> Any:
            events = [torch.cuda.Event(enable_timing=True) for _ in range(2)] if on_device and on_cuda else []
            started = time.perf_counter()
            for event in events[:1]:
                event.record()
            result = work(*arguments, **options)
            for event in events[1:]:
                event.record()
                event.synchronize()
            calls.append((name, (time.perf_counter() - started) * 1000, events))
            return result

        return run

    parts: list[tuple[str, Any, str, bool]] = [
        ("prepare", verifier.tower, "prepare", False),
        ("tower", verifier.tower, "encode", True),
        ("text", verifier.text_network, "forward", True),
    ]
    for name, owner, method, on_device in parts:
        setattr(owner, method, timed(name, getattr(owner, method), on_device=on_device))
    try:
        yield totals
    finally:
        for _, owner, method, _ in parts:
            delattr(owner, method)
        for name, wall, events in calls:
            device = events[0].elapsed_time(events[1]) if events else 0.0
            totals[name] = (totals[name][0] + wall, totals[name][1] + device)
