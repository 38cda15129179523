"""Times a DINO encoder against the naive way and against a lower bound from its arithmetic.

    python -m benchmarks.encoder                # a scaled-down model on the CPU: ratios only
    python -m benchmarks.encoder --full-size    # random DINOv3 ViT-H/16+ in bfloat16 on the GPU

Weights are random, so vectors are meaningless; times are those of real weights.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from core.encoders.dinov3 import DinoV3Encoder
from core.runtime.devices import DeviceChoice, choose_device
from scripts.tiny_models.dino import build_dinov3

# facebook/dinov3-vith16plus-pretrain-lvd1689m: 840.6 M parameters, pooled vectors of 1280.
FULL_SIZE: dict[str, Any] = {
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 20,
}
# With 0.03 % of the arithmetic, for machines without a GPU.
SCALED: dict[str, Any] = {
    "hidden_size": 192,
    "intermediate_size": 768,
    "num_hidden_layers": 4,
    "num_attention_heads": 3,
}


@dataclass(frozen=True, slots=True)
class EncoderTimes:
    """Median times of one input size and batch.

    Attributes:
        side: of the network's input, pixels.
        batch: photos encoded together.
        naive: milliseconds per photo, ``AutoModel`` one photo at a time, preprocessed on the CPU.
        encode: milliseconds per photo, ``DinoV3Encoder.encode`` on photos of 1280 x 960, preprocessing included.
        network: milliseconds per photo, only the network, on tensors on the device.
        floor: milliseconds per photo for the matrix products at the device's measured rate.
    """

    side: int
    batch: int
    naive: float
    encode: float
    network: float
    floor: float

    def __str__(self) -> str:
        return (
            f"  {self.side} px, batch {self.batch:<3}{self.encode:>9.2f} ms/photo, "
            f"{self.naive / self.encode:.2f} x faster than naive ({self.naive:.2f}), "
            f"{self.floor / self.encode:.0%} of the matmul rate; "
            f"network alone {self.network:.2f} ms/photo, {self.floor / self.network:.0%}"
        )


def measure_matmul_rate(device: DeviceChoice) -> float:
    """Measure the FLOPS (two per multiply-add) of large matrix products."""
    side = 8192 if device.is_cuda else 1024
    left, right = (torch.randn(side, side, device=device.device, dtype=device.dtype) for _ in range(2))
    (ms,) = median_ms([lambda: torch.mm(left, right)], device, repeats=20)
    return 2.0 * side**3 / (ms / 1000)


def measure_encoder(
    folder: Path, device: DeviceChoice, rate: float, *, side: int, batch: int, acceleration: str, repeats: int
) -> EncoderTimes:
    """Time one input size and batch.

    Args:
        folder: with the model.
        device: where to run.
        rate: from ``measure_matmul_rate``.
        side: input size, pixels.
        batch: photos encoded together.
        acceleration: the encoder's setting.
        repeats: of which the median is taken.
    """
    encoder = DinoV3Encoder(
        str(folder),
        device=str(device.device),
        dtype=str(device.dtype).removeprefix("torch."),
        input_size=side,
        max_batch=batch,
        acceleration=acceleration,
    )
    photos = draw_photos(batch)
    pixels = torch.stack([encoder.preprocessing.to_tensor(photo, device.device) for photo in photos]).to(device.dtype)
    naive = _NaiveModel(folder, device, encoder)
    naive_ms, encode_ms, network_ms = median_ms(
        [lambda: naive.encode(photos[0]), lambda: encoder.encode(photos), lambda: encoder.run_network(pixels)],
        device,
        repeats,
    )
    floor_ms = flops_per_photo(naive.model.config, side) / rate * 1000
    return EncoderTimes(side, batch, naive_ms, encode_ms / batch, network_ms / batch, floor_ms)


def flops_per_photo(config: Any, side: int) -> float:
    """Compute the FLOPs (two per multiply-add) of one photo's matrix products: 344 G for ViT-H/16+ at 224 pixels."""
    patches = (side // config.patch_size) ** 2
    tokens = patches + 1 + config.num_register_tokens
    width, inner = config.hidden_size, config.intermediate_size
    projections = tokens * width * (4 * width + (3 if config.use_gated_mlp else 2) * inner)
    attention = 2 * tokens**2 * width
    cutting = patches * 3 * config.patch_size**2 * width
    return float(2 * (config.num_hidden_layers * (projections + attention) + cutting))


def draw_photos(count: int, size: tuple[int, int] = (1280, 960)) -> list[Image.Image]:
    """Draw photos of noise at the size in which the services decode photos."""
    noise = np.random.default_rng(0)
    return [Image.fromarray(noise.integers(0, 256, (24, 32, 3), dtype=np.uint8)).resize(size) for _ in range(count)]


def build_model(folder: Path, device: DeviceChoice, *, full_size: bool) -> Path:
    """Write a DINOv3 with random weights that the encoder loads like a published one."""
    with creating_on(device):
        return build_dinov3(folder, **(FULL_SIZE if full_size else SCALED))


@contextmanager
def creating_on(device: DeviceChoice) -> Iterator[None]:
    """Create tensors on the device in its number format; on a CPU, billions of random numbers take minutes."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(device.dtype)
    try:
        with torch.device(device.device):
            yield
    finally:
        torch.set_default_dtype(before)


def median_ms(works: Sequence[Callable[[], Any]], device: DeviceChoice, repeats: int) -> list[float]:
    """Measure the median milliseconds of several functions, until the device has finished.

    Every function runs once to warm up; then they run in turn, so that other load affects all alike.
    """
    times: list[list[float]] = [[] for _ in works]
    for _ in range(repeats + 1):
        for work, taken in zip(works, times, strict=True):
            start = time.perf_counter()
            work()
            if device.is_cuda:
                torch.cuda.synchronize()
            taken.append((time.perf_counter() - start) * 1000)
    return [statistics.median(taken[1:]) for taken in times]


class _NaiveModel:
    """The naive way: ``AutoModel`` with its defaults, one photo at a time."""

    def __init__(self, folder: Path, device: DeviceChoice, encoder: DinoV3Encoder) -> None:
        from transformers import AutoModel

        self._device = device
        self._preprocessing = encoder.preprocessing
        self.model: Any = AutoModel.from_pretrained(folder, dtype=device.dtype).to(device.device).eval()

    @torch.inference_mode()
    def encode(self, photo: Image.Image) -> np.ndarray[Any, Any]:
        # The official processor needs torchvision; this computes the same, also on the CPU.
        pixels = self._preprocessing.to_tensor(photo, torch.device("cpu"))[None].to(self._device.device)
        vector: np.ndarray[Any, Any] = self.model(pixel_values=pixels).pooler_output.float().cpu().numpy()
        return vector


def main(argv: Sequence[str] | None = None) -> int:
    """Print one line per input size, batch size and acceleration."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full-size", action="store_true", help="DINOv3 ViT-H/16+; needs a GPU of 8 GB or more")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--sides", type=int, nargs="+", default=[224, 448], help="input sizes, pixels")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--accelerations", nargs="+", default=["auto"], help="auto, none, graphs, compile")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    device = choose_device(arguments.device)
    rate = measure_matmul_rate(device)
    print(f"{device.reason}; matrix products reach {rate / 1e12:.2f} TFLOP/s")
    with tempfile.TemporaryDirectory() as name:
        folder = build_model(Path(name), device, full_size=arguments.full_size)
        for acceleration in arguments.accelerations:
            print(f"acceleration {acceleration}")
            for side, batch in product(arguments.sides, arguments.batches):
                times = measure_encoder(
                    folder,
                    device,
                    rate,
                    side=side,
                    batch=batch,
                    acceleration=acceleration,
                    repeats=arguments.repeats,
                )
                print(times)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
