"""Counts what a match costs a GPU, without one: passes, launches, waits and tokens, against their bars.

    python -m benchmarks.gpu_counts

Text passes run on a tiny Qwen3-VL; the vision tower has its real depth and width on a device without values, where any
question of the CPU to the device fails. Exits with 1 where a bar is missed.
"""

import asyncio
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

from benchmarks.verifier import FULL_TEXT, FULL_VISION, NaivePairs
from core.imaging.copies import encode_copy, side_of_pixels
from core.imaging.decoding import decode_image
from core.results import Photo
from core.runtime.devices import choose_device
from core.verifiers.qwen.qwen3_vl import Qwen3VLVerifier
from core.verifiers.qwen.qwen_files import QwenModel, load_qwen
from core.verifiers.qwen.vision_tower import CachedVisionTower
from core.verifiers.qwen.visual_tokens import PatchCutter
from core.verifiers.views import as_candidate
from scripts.tiny_models.qwen_vl import build_qwen_vl
from services.retrieval.settings import RetrievalSettings
from serving.batching import DynamicBatcher

TOLERANCE = 1e-5
"""Largest difference of a confidence from the pair-by-pair way, in float32."""

_TOKENS = 256
_FEW_TOKENS = 32
_SHAPES = [(1280, 960), (960, 1280), (1280, 720), (720, 1280), (1000, 1000), (1280, 590), (1100, 960), (853, 1280)]


@dataclass(frozen=True, slots=True)
class Count:
    """A figure with its bar.

    Attributes:
        name: what is counted.
        before: at commit 5d2238f; None where it was not counted.
        now: counted by this run.
        bar: the most that is accepted.
    """

    name: str
    before: float | None
    now: float
    bar: float

    @property
    def is_met(self) -> bool:
        """Whether the figure keeps its bar."""
        return self.now <= self.bar


# What a reviewer counted at commit 5d2238f; the tokens with six photos of 4:3, of which each has 234 visual tokens.
PASSES_BEFORE = 122
LAUNCHES_BEFORE = 880
SYNCS_BEFORE = 84
TEXT_PASSES_BEFORE = 2
TOKENS_BEFORE = 1595
PASSES_OF_TWO_BEFORE = 4
WAIT_MS_BEFORE = 5.4


def count_all() -> list[Count]:
    """Count everything that takes no clock but the batcher's, in the order of the table."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        model = load_qwen(build_qwen_vl(Path(name)), choose_device("cpu"))
    verifier = Qwen3VLVerifier(model, query_tokens=_TOKENS, candidate_tokens=_TOKENS)
    images = [_photo(number, shape) for number, shape in enumerate([*_SHAPES, _SHAPES[0]])]
    photos = [Photo(image.copy, str(number)) for number, image in enumerate(images)]
    verifier.verify(photos[0], photos[1:])  # the style's instructions, and the gallery's visual tokens
    with counting_tokens(verifier) as lengths:
        verifier.verify(photos[0], photos[1:6])
    alike = [Photo(_photo(number, _SHAPES[0]).copy) for number in range(6)]
    with counting_tokens(verifier) as lengths_alike:
        verifier.verify(alike[0], alike[1:])
    places = [as_candidate(photos[1:4]), as_candidate(photos[4:7])]
    several = Qwen3VLVerifier(model, query_tokens=_TOKENS, candidate_tokens=_TOKENS, views_together=3)
    several.verify(photos[0], places)
    with counting_tokens(several) as lengths_of_places:
        several.verify(photos[0], places)
    launches, syncs = count_tower(model.cutter)
    return [
        Count("passes of a match, five candidates", PASSES_BEFORE, len(lengths), 2),
        Count("kernels of the vision tower, real depth", LAUNCHES_BEFORE, launches, LAUNCHES_BEFORE),
        Count("host syncs of the vision tower", SYNCS_BEFORE, syncs, 0),
        Count("text passes of a verification", TEXT_PASSES_BEFORE, len(lengths), 1),
        Count("text tokens of a verification, K=5, 4:3", TOKENS_BEFORE, sum(lengths_alike), TOKENS_BEFORE),
        Count("text passes, two places of three photos", None, len(lengths_of_places), 1),
        Count("passes of two visitors at once", PASSES_OF_TWO_BEFORE, count_passes_of_two(verifier, photos), 1),
        Count("wait of a lone photo in M1, ms", WAIT_MS_BEFORE, wait_of_a_lone_photo_ms(), 0.5),
        Count("difference from pair by pair, K=1..8", None, largest_difference(model, images), TOLERANCE),
    ]


def count_decoding() -> Count:
    """Time what both services do with a match's 12-megapixel photo, in decodes at the size that both models need.

    Retrieval decodes it once, and its copy is what the verifier decodes.
    """
    buffer = BytesIO()
    _photo(0, (4032, 3024)).save(buffer, "JPEG", quality=90)
    sent = buffer.getvalue()
    side = side_of_pixels(_TOKENS * 32**2)

    def decode() -> Image.Image:
        return decode_image(sent, max_side=side).image

    def decode_in_both() -> Image.Image:
        return decode_image(encode_copy(decode(), side), max_side=side).image

    return Count("decoding of a 12 MP JPEG, reduced decodes", None, _cpu_s(decode_in_both) / _cpu_s(decode), 1.2)


def print_table(counts: Sequence[Count]) -> int:
    """Print the figures.

    Returns:
        The exit status: 1 if a bar was missed, else 0.
    """
    print(f"{'':44}{'5d2238f':>10}{'now':>12}{'bar':>10}")
    for count in counts:
        before = "-" if count.before is None else f"{count.before:,g}"
        print(
            f"{count.name:44}{before:>10}{count.now:>12,.4g}{count.bar:>10,g}   {'met' if count.is_met else 'MISSED'}"
        )
    return 0 if all(count.is_met for count in counts) else 1


def count_tower(cutter: PatchCutter) -> tuple[int, int]:
    """Count kernels and host syncs of one photo in Qwen3-VL-8B's vision tower.

    Returns:
        Kernels, and syncs: 0, or 1 where a question to the device ended the run.
    """
    config = Qwen3VLConfig(text_config=dict(FULL_TEXT, num_hidden_layers=1), vision_config=FULL_VISION)
    with torch.device("meta"):
        network = Qwen3VLForConditionalGeneration(config).eval().requires_grad_(False)
    tower = CachedVisionTower(network, cutter, cache_bytes=0, max_batch=1)
    photo = cutter.fit(_photo(0, _SHAPES[0]), _TOKENS)
    tower.encode([photo])  # the layout of the shape
    with torch.inference_mode(), _Kernels() as kernels:
        try:
            tower.encode([photo])
        except (RuntimeError, NotImplementedError):
            return kernels.count, 1
    return kernels.count, 0


@contextmanager
def counting_tokens(verifier: Qwen3VLVerifier) -> Iterator[list[int]]:
    """Collect the number of tokens of every pass of the text network."""
    lengths: list[int] = []

    def note(_module: Any, _arguments: Any, inputs: dict[str, Any]) -> None:
        rows, length = inputs["inputs_embeds"].shape[:2]
        lengths.append(rows * length)

    hook = verifier.text_network.register_forward_pre_hook(note, with_kwargs=True)
    try:
        yield lengths
    finally:
        hook.remove()


def count_passes_of_two(verifier: Qwen3VLVerifier, photos: Sequence[Photo]) -> int:
    """Let two visitors come while a third one occupies the device, and count the passes that they take together."""
    begun, go_on = threading.Event(), threading.Event()

    def hold(*_: Any) -> None:
        begun.set()
        go_on.wait(600)

    hook = verifier.text_network.register_forward_pre_hook(hold)
    try:
        with ThreadPoolExecutor(3) as threads, counting_tokens(verifier) as lengths:
            visits = [threads.submit(verifier.verify, photos[0], photos[1:6])]
            begun.wait(600)
            visits += [threads.submit(verifier.verify, photos[n], photos[n + 1 : n + 6]) for n in (1, 2)]
            while verifier.waiting < 2 and not any(visit.done() for visit in visits):
                time.sleep(0.001)
            go_on.set()
            for visit in visits:
                visit.result()
    finally:
        hook.remove()
    return len(lengths) - 1


def largest_difference(model: QwenModel, images: Sequence[Image.Image]) -> float:
    """Compare the confidences of one to eight candidates of unequal shapes with the model card's way, pair by pair."""
    query, *candidates = images
    naive = NaivePairs(model, _FEW_TOKENS)
    verifier = Qwen3VLVerifier(model, query_tokens=_FEW_TOKENS, candidate_tokens=_FEW_TOKENS)
    expected = [naive.forward((query, image)) for image in candidates]
    differences = []
    for count in range(1, len(candidates) + 1):
        verdicts = verifier.verify(
            Photo(query.copy), [Photo(image.copy, str(n)) for n, image in enumerate(candidates[:count])]
        )
        differences += [abs(v.confidence - e) for v, e in zip(verdicts, expected, strict=False) if v is not None]
    return max(differences)


def wait_of_a_lone_photo_ms() -> float:
    """Measure a lone photo's way through M1's queue, with default settings, around an encoder that takes no time."""
    settings = RetrievalSettings(encoder="dinov3")

    async def measure() -> list[float]:
        async with DynamicBatcher[int, int](
            lambda items: items,
            max_batch_size=settings.largest_batch,
            max_wait_s=settings.batch_wait_ms / 1000,
            max_queue=settings.most_waiting,
        ) as batcher:
            times = []
            for number in range(200):
                start = time.perf_counter()
                await batcher.submit(number)
                times.append((time.perf_counter() - start) * 1000)
            return times

    return median(asyncio.run(measure()))


def main() -> int:
    """Print the table."""
    return print_table([*count_all(), count_decoding()])


class _Kernels(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the operations on the device that compute something: not those that look at memory in another shape."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        on_device = any(isinstance(leaf, torch.Tensor) and leaf.is_meta for leaf in tree_leaves(result))
        self.count += on_device and not func.is_view
        return result


def _photo(seed: int, size: tuple[int, int]) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize(size)


def _cpu_s(work: Callable[[], Any]) -> float:
    times = []
    for _ in range(20):  # the shortest: other processes take caches and memory from this one
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


if __name__ == "__main__":
    raise SystemExit(main())
