"""Times the verification of a query's candidates by Qwen3-VL, compared with the naive ways in the same run.

    python -m benchmarks.verifier                # a scaled-down model on the CPU: ratios only
    python -m benchmarks.verifier --full-size    # random Qwen3-VL-8B in bfloat16 on the GPU

Weights are random, so verdicts are meaningless; time and memory are those of real weights.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import Qwen2VLImageProcessorPil

from benchmarks.encoder import creating_on
from core.results import Photo
from core.runtime.devices import DeviceChoice, choose_device
from core.verifiers.prompting.styles import Shown, compose, load_styles
from core.verifiers.qwen.qwen3_vl import Qwen3VLVerifier
from core.verifiers.qwen.qwen_files import QwenModel
from core.verifiers.qwen.visual_tokens import MIN_TOKENS, PatchCutter
from scripts.tiny_models.qwen_vl import build_model, build_qwen_vl
from scripts.tiny_models.tokenizer import build_tokenizer

# Qwen3-VL-8B-Instruct: 8.77 B parameters, 576 M of them in the vision tower.
FULL_TEXT: dict[str, Any] = {
    "vocab_size": 151936,
    "hidden_size": 4096,
    "intermediate_size": 12288,
    "num_hidden_layers": 36,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "initializer_range": 0.02,
    "rope_parameters": {
        "rope_type": "default",
        "rope_theta": 5_000_000.0,
        "mrope_section": [24, 20, 20],
        "mrope_interleaved": True,
    },
}
FULL_VISION: dict[str, Any] = {
    "depth": 27,
    "hidden_size": 1152,
    "intermediate_size": 4304,
    "num_heads": 16,
    "out_hidden_size": 4096,
    "num_position_embeddings": 2304,
    "deepstack_visual_indexes": [8, 16, 24],
    "initializer_range": 0.02,
}
# The same proportions at 0.5 % of the size, for machines without a GPU.
SCALED_TEXT: dict[str, Any] = {
    "hidden_size": 512,
    "intermediate_size": 1536,
    "num_hidden_layers": 12,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "head_dim": 64,
    "initializer_range": 0.02,
    "rope_parameters": FULL_TEXT["rope_parameters"] | {"mrope_section": [12, 10, 10]},
}
SCALED_VISION = FULL_VISION | {
    "depth": 6,
    "hidden_size": 144,
    "intermediate_size": 540,
    "num_heads": 4,
    "out_hidden_size": 512,
    "deepstack_visual_indexes": [1, 3, 4],
}

REPLY_TOKENS = 64


@dataclass(frozen=True, slots=True)
class VerifierTimes:
    """Median milliseconds for all candidates of one query; on a CPU, of CPU time.

    Attributes:
        tokens: visual tokens per photo, at most.
        candidates: K.
        generated: pair by pair, with generated replies of 64 tokens, as the model card suggests.
        pair_by_pair: one forward pass per pair, nothing generated.
        cold: this verifier, gallery photos not cached.
        warm: this verifier, gallery photos cached.
        largest_difference: between the confidences of ``pair_by_pair`` and of ``warm``.
        peak_memory_gb: on the GPU; 0 without one.
    """

    tokens: int
    candidates: int
    generated: float
    pair_by_pair: float
    cold: float
    warm: float
    largest_difference: float
    peak_memory_gb: float

    def __str__(self) -> str:
        def line(name: str, ms: float) -> str:
            return f"  {name:<44}{ms:>10.1f} ms   {self.generated / ms:>6.2f} x"

        return "\n".join(
            [
                f"{self.candidates} candidates, {self.tokens} tokens per photo; times faster than generating:",
                line(f"pair by pair, {REPLY_TOKENS} tokens generated", self.generated),
                line("pair by pair, one forward pass", self.pair_by_pair),
                line("all together, photos new", self.cold),
                line("all together, gallery photos remembered", self.warm),
                f"  confidences differ by at most {self.largest_difference:.1e}; "
                f"peak memory {self.peak_memory_gb:.1f} GB",
            ]
        )


def measure_verifier(
    model: QwenModel, *, tokens: int = 256, candidates: int = 5, repeats: int = 5, reply_tokens: int = REPLY_TOKENS
) -> VerifierTimes:
    """Time one query against its candidates in all four ways.

    Args:
        model: on the device to measure.
        tokens: visual tokens per photo, at most.
        candidates: K.
        repeats: of every way, of which the median is taken; the slow naive ways are repeated at most three times.
        reply_tokens: tokens that the naive way generates.
    """
    images = _photos(candidates + 1)
    query, *gallery = [Photo(image.copy, str(number)) for number, image in enumerate(images)]
    warm = Qwen3VLVerifier(model, query_tokens=tokens, candidate_tokens=tokens)
    cold = Qwen3VLVerifier(model, query_tokens=tokens, candidate_tokens=tokens, cache_bytes=0)
    naive = NaivePairs(model, tokens)
    on_cuda = warm.device.is_cuda
    if on_cuda:
        torch.cuda.reset_peak_memory_stats()

    def all_pairs(ask: Callable[[Sequence[Image.Image]], Any]) -> list[Any]:
        return [ask((images[0], image)) for image in images[1:]]

    few = min(repeats, 3)
    # On a CPU, CPU time is measured, which other load does not change; a GPU's work is in wall time only.
    clock = time.perf_counter if on_cuda else time.process_time
    one_forward = _median_ms(clock, lambda: all_pairs(naive.forward), few)
    generated = _median_ms(clock, lambda: all_pairs(lambda pair: naive.generate(pair, reply_tokens)), few)
    cold_ms = _median_ms(clock, lambda: cold.verify(query, gallery), repeats)
    warm_ms = _median_ms(clock, lambda: warm.verify(query, gallery), repeats)
    expected = all_pairs(naive.forward)
    verdicts = warm.verify(query, gallery)
    return VerifierTimes(
        tokens=tokens,
        candidates=candidates,
        generated=generated,
        pair_by_pair=one_forward,
        cold=cold_ms,
        warm=warm_ms,
        largest_difference=max(abs(v.confidence - e) for v, e in zip(verdicts, expected, strict=True)),
        peak_memory_gb=torch.cuda.max_memory_allocated() / 1e9 if on_cuda else 0.0,
    )


def build_full_size(device: DeviceChoice) -> QwenModel:
    """Make a Qwen3-VL-8B with random weights on a device; takes 17.5 GB in bfloat16."""
    return _build(device, FULL_TEXT, FULL_VISION)


def build_scaled(device: DeviceChoice) -> QwenModel:
    """Make a model of the same proportions at half a percent of the size."""
    return _build(device, SCALED_TEXT, SCALED_VISION)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table for every token budget."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full-size", action="store_true", help="Qwen3-VL-8B; needs a GPU of 24 GB or more")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--tokens", type=int, nargs="+", help="visual tokens per photo (256 512 on a GPU, else 256)")
    parser.add_argument("--candidates", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    device = choose_device(arguments.device)
    model = build_full_size(device) if arguments.full_size else build_scaled(device)
    parameters = sum(weight.numel() for weight in model.network.parameters())
    seeing = sum(weight.numel() for weight in model.network.model.visual.parameters())
    print(f"{model.name}, {parameters / 1e6:.0f} M parameters, {seeing / 1e6:.0f} M of them see; {device.reason}")
    for tokens in arguments.tokens or ([256, 512] if device.is_cuda else [256]):
        print(measure_verifier(model, tokens=tokens, candidates=arguments.candidates, repeats=arguments.repeats))
    return 0


def _build(device: DeviceChoice, text: dict[str, Any], vision: dict[str, Any]) -> QwenModel:
    corpus = " ".join(style.instructions + style.cue for style in load_styles().values())
    tokenizer = build_tokenizer(corpus)
    with creating_on(device):
        network: Any = build_model(tokenizer, text=text, vision=vision)
    with tempfile.TemporaryDirectory() as folder:
        cutter = PatchCutter.of(build_qwen_vl(Path(folder)))
    name = f"qwen3_vl-{text['hidden_size']}x{text['num_hidden_layers']} random"
    return QwenModel(network.eval().requires_grad_(False), tokenizer, cutter, name)


class NaivePairs:
    """The naive way of the model card: the official image processor, one conversation at a time."""

    def __init__(self, model: QwenModel, tokens: int) -> None:
        """Prepare the official image processor for photos of at most so many visual tokens."""
        self._network, self._tokenizer = model.network, model.tokenizer
        cutter = model.cutter
        side = cutter.token_side
        self._processor = Qwen2VLImageProcessorPil(
            patch_size=cutter.patch,
            merge_size=cutter.merge,
            image_mean=list(cutter.mean),
            image_std=list(cutter.std),
            size={"shortest_edge": min(MIN_TOKENS, tokens) * side**2, "longest_edge": tokens * side**2},
        )
        style = load_styles()["simple"]
        self._messages = [
            {
                "role": turn.role,
                "content": [
                    {"type": "image"} if isinstance(part, Shown) else {"type": "text", "text": part}
                    for part in turn.parts
                ],
            }
            for turn in compose(style, style.cue)
        ]
        self._answers = [
            [self._tokenizer.encode(word)[0] for word in words] for words in (("yes", "Yes", "YES"), ("no", "No", "NO"))
        ]

    @torch.inference_mode()
    def forward(self, pair: Sequence[Image.Image]) -> float:
        """Give the confidence of a pair, by one ordinary pass."""
        logits = self._network(**self._inputs(pair), logits_to_keep=1).logits[0, -1].float()
        yes, no = (logits[tokens].logsumexp(dim=0) for tokens in self._answers)
        return float(torch.sigmoid(yes - no))

    @torch.inference_mode()
    def generate(self, pair: Sequence[Image.Image], length: int) -> str:
        """Give a reply of ``length`` tokens about a pair."""
        inputs = self._inputs(pair)
        # Random weights do not generate a stop token, so every reply has the full length.
        ids = self._network.generate(**inputs, max_new_tokens=length, min_new_tokens=length, do_sample=False)
        text: str = self._tokenizer.decode(ids[0, inputs["input_ids"].shape[1] :])
        return text

    def _inputs(self, pair: Sequence[Image.Image]) -> dict[str, torch.Tensor]:
        shown = self._processor(images=list(pair), return_tensors="pt")
        text = self._tokenizer.apply_chat_template(self._messages, tokenize=False, add_generation_prompt=True)
        whole, *rest = text.split("<|image_pad|>")
        for grid, after in zip(shown["image_grid_thw"], rest, strict=True):
            whole += "<|image_pad|>" * (int(grid.prod()) // 4) + after
        ids = torch.tensor([self._tokenizer.encode(whole)])
        inputs = {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "mm_token_type_ids": (ids == self._network.config.image_token_id).int(),
            **shown,
        }
        return {name: tensor.to(self._network.device) for name, tensor in inputs.items()}


def _photos(count: int) -> list[Image.Image]:
    """Draw photos of noise at the size in which the services decode photos, in both orientations."""
    noise = np.random.default_rng(0)
    shapes = [(1280, 960), (960, 1280)]
    return [
        Image.fromarray(noise.integers(0, 256, (24, 32, 3), dtype=np.uint8)).resize(shapes[number % 2])
        for number in range(count)
    ]


def _median_ms(clock: Callable[[], float], work: Callable[[], Any], repeats: int) -> float:
    work()  # warms up buffers, kernels and caches
    times = []
    for _ in range(repeats):
        start = clock()
        work()
        times.append((clock() - start) * 1000)
    return statistics.median(times)


if __name__ == "__main__":
    raise SystemExit(main())
