"""Measures the GPU backends and their bars in one run: DINOv3 ViT-H/16+, Qwen3-VL-8B, and ``POST /match`` with both.

    python -m benchmarks.gpu

On a GPU the models have their full size and random weights: times are those of real weights, answers are meaningless.
Without a GPU, scaled-down models run on the CPU; then only the ratios are meaningful, and the bars do not apply. The
parts need nothing of one another: one that fails is reported, and the next one runs; ``m1`` and ``m3`` need PyTorch,
transformers, NumPy and Pillow alone. What no time is left for is skipped. Exits with 1 if a part failed.
"""

import argparse
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from benchmarks import encoder, verifier
from benchmarks.verifier_stages import measure_queries
from core.runtime.devices import DeviceChoice, choose_device
from scripts.tiny_models.qwen_vl import build_qwen_vl

PARTS = ("m1", "m3", "match")
MINUTES = 8.0
_TINY_REPLY_TOKENS = 8
_MATCH_S = 150.0
"""Seconds without which the three processes with the full models are not begun."""


class Run:
    """One run of the benchmark.

    Attributes:
        device: to measure.
        failed: parts that failed.
    """

    def __init__(self, device: DeviceChoice, folder: Path, minutes: float) -> None:
        """Start the clock; ``folder`` is for models."""
        self.device = device
        self.failed: list[str] = []
        self._folder = folder
        self._ends_at = time.monotonic() + 60 * minutes

    def part(self, name: str, measure: Callable[[], None]) -> None:
        """Run a part; a failure is printed and kept."""
        if not self.has_time(f"all of {name}"):
            return
        started = time.monotonic()
        try:
            measure()
        except Exception:  # the other parts are worth measuring all the same
            traceback.print_exc()
            self.failed.append(name)
        if self.device.is_cuda:
            torch.cuda.empty_cache()
        print(f" {name}: {time.monotonic() - started:.0f} s", flush=True)

    def has_time(self, what: str, needs_s: float = 0.0) -> bool:
        """Tell whether so many seconds are left; if not, print what is skipped."""
        has_time = time.monotonic() + needs_s < self._ends_at
        if not has_time:
            print(f" skipped, as no time is left: {what}", flush=True)
        return has_time

    def measure_m1(self, accelerations: Sequence[str]) -> None:
        """Time the encoder against the naive way and the matrix rate."""
        device = self.device
        rate = encoder.measure_matmul_rate(device)
        print(f"\nM1, {'DINOv3 ViT-H/16+' if device.is_cuda else 'scaled-down DINOv3'}, random weights; ", end="")
        print(f"matrix products reach {rate / 1e12:.2f} TFLOP/s")
        folder = self._dino()
        batches, repeats = ((1, 32), 20) if device.is_cuda else ((1, 8), 3)
        for acceleration in accelerations:
            print(f" acceleration {acceleration}")
            for side in (224, 448):
                for batch in batches:
                    if not self.has_time(f"{side} px, batch {batch}"):
                        continue
                    times = encoder.measure_encoder(
                        folder, device, rate, side=side, batch=batch, acceleration=acceleration, repeats=repeats
                    )
                    print(times, flush=True)
                    if device.is_cuda and batch == 1 and side == 224:
                        _judge("one photo within 5 ms", times.encode, times.encode <= 5)
                    elif device.is_cuda and batch > 1:
                        _judge(
                            "40 % of the matmul rate", times.floor / times.network, times.floor >= 0.4 * times.network
                        )

    def measure_m3(self) -> None:
        """Time the verifier against the naive ways, then over photos of all shapes."""
        device = self.device
        print(f"\nM3, {'Qwen3-VL-8B' if device.is_cuda else 'scaled-down Qwen3-VL'}, random weights")
        if device.is_cuda:
            model, tokens, queries, explained = verifier.build_full_size(device), 256, 36, 3
            reply_tokens, repeats = verifier.REPLY_TOKENS, 3
        else:
            print(f" the naive way generates {_TINY_REPLY_TOKENS} tokens here, not {verifier.REPLY_TOKENS}")
            model, tokens, queries, explained = verifier.build_scaled(device), 64, 2, 0
            reply_tokens, repeats = _TINY_REPLY_TOKENS, 1
        times = verifier.measure_verifier(model, tokens=tokens, repeats=repeats, reply_tokens=reply_tokens)
        print(times, flush=True)
        if device.is_cuda:
            _judge("five candidates within 100 ms", times.warm, times.warm <= 100)
            _judge("8 x faster than generating", times.generated / times.warm, times.generated >= 8 * times.warm)
        for candidates, budget in ((5, tokens), (9, tokens), (5, 2 * tokens)):
            if self.has_time(f"{candidates} candidates, {budget} tokens, photos of all shapes"):
                asked = measure_queries(
                    model, tokens=budget, candidates=candidates, queries=queries,
                    explained=explained if (candidates, budget) == (5, tokens) else 0,
                )  # fmt: skip
                print(asked, flush=True)

    def measure_match(self) -> None:
        """Time ``POST /match`` through three processes."""
        # Here, as the other parts need no HTTP client.
        from benchmarks.match import measure_match

        on_cuda = self.device.is_cuda
        print("\nThree processes")
        if not self.has_time("POST /match", _MATCH_S if on_cuda else 0.0):
            return
        qwen = self._folder / "qwen3-vl"
        if on_cuda:
            with encoder.creating_on(self.device):
                build_qwen_vl(qwen, text=verifier.FULL_TEXT, vision=verifier.FULL_VISION)
            torch.cuda.empty_cache()
            times = measure_match(self._dino(), qwen, gallery=32, queries=45, tokens=256)
            _judge("p50 within 120 ms", times.warm[5].p50, times.warm[5].p50 <= 120)
            _judge("15 matches/s", times.per_second, times.per_second >= 15)
        else:
            build_qwen_vl(qwen)
            times = measure_match(self._dino(), qwen, gallery=9, queries=9, tokens=64)
        print(times)

    def _dino(self) -> Path:
        folder = self._folder / "dinov3"
        return folder if folder.exists() else encoder.build_model(folder, self.device, full_size=self.device.is_cuda)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure the chosen parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--accelerations", nargs="+", default=None, help="of the encoder: none, graphs, compile, auto")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="after which nothing further is begun")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    device = choose_device(arguments.device)
    print(f"{device.reason}; PyTorch {torch.__version__}")
    if not device.is_cuda:
        print("no GPU: scaled-down models, only ratios mean anything, and the bars are not judged")
    with tempfile.TemporaryDirectory() as name:
        run = Run(device, Path(name), arguments.minutes)
        accelerations = arguments.accelerations or (["none", "graphs"] if device.is_cuda else ["auto"])
        measures: dict[str, Callable[[], None]] = {
            "m1": lambda: run.measure_m1(accelerations),
            "m3": run.measure_m3,
            "match": run.measure_match,
        }
        for part in arguments.parts:
            run.part(part, measures[part])
    if run.failed:
        print(f"failed: {', '.join(run.failed)}")
    return 1 if run.failed else 0


def _judge(bar: str, value: float, is_met: bool) -> None:
    print(f"    {'met' if is_met else 'MISSED'}: {bar} ({value:.3g})")


if __name__ == "__main__":
    raise SystemExit(main())
