"""The verifier's benchmark, so that it runs when a GPU is at hand for an hour."""

from pathlib import Path

import torch

from benchmarks.verifier import measure_verifier
from core.runtime.devices import choose_device
from core.verifiers.qwen.qwen_files import load_qwen


def test_all_ways_are_timed_and_agree(qwen_folders: dict[str, Path]):
    """Every way of verifying is timed, and the naive one gives the confidences of ours."""
    torch.set_num_threads(1)
    model = load_qwen(qwen_folders["qwen3_vl"], choose_device("cpu"))
    times = measure_verifier(model, tokens=16, candidates=2, repeats=1, reply_tokens=2)
    assert min(times.generated, times.pair_by_pair, times.cold, times.warm) > 0
    assert times.largest_difference < 1e-4
    assert "gallery photos remembered" in str(times)
