"""Photos as visitors send them, for benchmarks: nine shapes of phones and cameras, some of 12 megapixels."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image

SHAPES = (
    (1600, 1200),
    (1200, 1600),
    (1600, 900),
    (900, 1600),
    (1600, 1067),
    (1067, 1600),
    (1200, 1200),
    (1600, 738),
    (1280, 1100),
)
"""The page reduces photos to 1600 pixels before it sends them."""
LARGE = (4032, 3024)
"""What a phone's camera makes, and clients of the API send."""
_LARGE_EVERY = 5


def draw_jpegs(count: int, seed: int = 0) -> list[bytes]:
    """Draw photos of noise as JPEG files: the shapes in turn, and every fifth photo of 12 megapixels."""
    noise = np.random.default_rng(seed)
    files = []
    for number in range(count):
        size = LARGE if number % _LARGE_EVERY == _LARGE_EVERY - 1 else SHAPES[number % len(SHAPES)]
        small = Image.fromarray(noise.integers(0, 256, (24, 32, 3), dtype=np.uint8))
        stream = BytesIO()
        small.resize(size, Image.Resampling.BILINEAR).save(stream, "JPEG", quality=88)
        files.append(stream.getvalue())
    return files


@dataclass(frozen=True, slots=True)
class Spread:
    """Percentiles of times, in milliseconds."""

    p50: float
    p90: float
    p99: float

    @classmethod
    def of(cls, times: Sequence[float]) -> "Spread":
        """Compute the percentiles of at least one time; of a hundred or fewer, p99 is the longest."""
        ordered = sorted(times)
        p90, p99 = (ordered[max(0, -(-len(ordered) * share // 100) - 1)] for share in (90, 99))
        return cls(statistics.median(ordered), p90, p99)

    def __str__(self) -> str:
        return f"p50 {self.p50:7.1f}, p90 {self.p90:7.1f}, p99 {self.p99:7.1f} ms"
