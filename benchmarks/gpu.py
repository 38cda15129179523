"""Measures the GPU backends and their bars in one run: DINOv3 ViT-H/16+, Qwen3-VL-8B, and ``POST /match`` with both.

    python -m benchmarks.gpu

On a GPU the models have their full size and random weights: times are those of real weights, answers are meaningless.
Without a GPU, scaled-down models run on the CPU; then only the ratios are meaningful, and the bars do not apply.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks import encoder, verifier
from benchmarks.match import measure_match
from core.runtime.devices import DeviceChoice, choose_device
from scripts.tiny_models.qwen_vl import build_qwen_vl

PARTS = ("m1", "m3", "match")
_TINY_REPLY_TOKENS = 8


def main(argv: Sequence[str] | None = None) -> int:
    """Measure the chosen parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--accelerations", nargs="+", default=None, help="of the encoder: none, graphs, compile, auto")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    device = choose_device(arguments.device)
    print(device.reason)
    if not device.is_cuda:
        print("no GPU: scaled-down models, only ratios mean anything, and the bars are not judged")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "m1" in arguments.parts:
            accelerations = arguments.accelerations or (["none", "graphs"] if device.is_cuda else ["auto"])
            _measure_m1(folder / "dinov3", device, accelerations)
        if "m3" in arguments.parts:
            _measure_m3(device)
        if "match" in arguments.parts:
            _measure_match(folder, device)
    return 0


def _measure_m1(folder: Path, device: DeviceChoice, accelerations: Sequence[str]) -> None:
    rate = encoder.measure_matmul_rate(device)
    print(f"\nM1, {'DINOv3 ViT-H/16+' if device.is_cuda else 'scaled-down DINOv3'}, random weights; ", end="")
    print(f"matrix products reach {rate / 1e12:.2f} TFLOP/s")
    encoder.build_model(folder, device, full_size=device.is_cuda)
    batches, repeats = ((1, 32), 20) if device.is_cuda else ((1, 8), 3)
    for acceleration in accelerations:
        print(f" acceleration {acceleration}")
        for side in (224, 448):
            for batch in batches:
                times = encoder.measure_encoder(
                    folder, device, rate, side=side, batch=batch, acceleration=acceleration, repeats=repeats
                )
                print(times)
                if device.is_cuda and batch == 1:
                    _judge("one photo within 10 ms", times.encode, times.encode <= 10)
                elif device.is_cuda:
                    _judge("40 % of the matmul rate", times.floor / times.network, times.floor / times.network >= 0.4)


def _measure_m3(device: DeviceChoice) -> None:
    print(f"\nM3, {'Qwen3-VL-8B' if device.is_cuda else 'scaled-down Qwen3-VL'}, random weights")
    if device.is_cuda:
        model = verifier.build_full_size(device)
        for tokens in (256, 512):
            times = verifier.measure_verifier(model, tokens=tokens)
            print(times)
            if tokens == 256:
                _judge("five candidates within 150 ms", times.warm, times.warm <= 150)
                _judge("8 x faster than generating", times.generated / times.warm, times.generated >= 8 * times.warm)
        del model
        torch.cuda.empty_cache()
    else:
        print(f" the naive way generates {_TINY_REPLY_TOKENS} tokens here, not {verifier.REPLY_TOKENS}")
        model = verifier.build_scaled(device)
        print(verifier.measure_verifier(model, tokens=64, repeats=1, reply_tokens=_TINY_REPLY_TOKENS))


def _measure_match(folder: Path, device: DeviceChoice) -> None:
    print("\nThree processes")
    dino = folder / "dinov3"
    if not dino.exists():
        encoder.build_model(dino, device, full_size=device.is_cuda)
    qwen = folder / "qwen3-vl"
    if device.is_cuda:
        with encoder.creating_on(device):
            build_qwen_vl(qwen, text=verifier.FULL_TEXT, vision=verifier.FULL_VISION)
        torch.cuda.empty_cache()
        print(measure_match(dino, qwen, gallery=32, queries=60, tokens=256))
    else:
        build_qwen_vl(qwen)
        print(measure_match(dino, qwen, gallery=8, queries=10, tokens=64))


def _judge(bar: str, value: float, is_met: bool) -> None:
    print(f"    {'met' if is_met else 'MISSED'}: {bar} ({value:.3g})")


if __name__ == "__main__":
    raise SystemExit(main())
