import pytest
from transformers import DINOv3ViTConfig

from benchmarks import encoder
from benchmarks.match import measure_match
from scripts.tiny_models.dino import build_dinov3
from scripts.tiny_models.qwen_vl import build_qwen_vl


@pytest.mark.parametrize(("side", "giga"), [(224, 344), (256, 450), (448, 1427), (512, 1902)])
def test_arithmetic_of_the_full_model(side: int, giga: int):
    """The floor is that of ViT-H/16+ as published: 344 GFLOP per photo at 224 pixels."""
    config = DINOv3ViTConfig(use_gated_mlp=True, num_register_tokens=4, **encoder.FULL_SIZE)
    assert encoder.flops_per_photo(config, side) / 1e9 == pytest.approx(giga, abs=0.5)


def test_the_script_prints_a_line_per_size_and_batch(capsys: pytest.CaptureFixture[str]):
    """The benchmark runs unchanged where there is no GPU."""
    assert encoder.main(["--sides", "32", "64", "--batches", "1", "2", "--repeats", "1"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("faster than naive") == 4
    assert "TFLOP/s" in printed


@pytest.mark.slow
def test_a_match_is_timed_through_three_processes(tmp_path):
    """The three services start on a GPU's models, tiny ones here, and every request is answered."""
    dino, qwen = build_dinov3(tmp_path / "dino"), build_qwen_vl(tmp_path / "qwen")
    times = measure_match(dino, qwen, gallery=3, queries=4, tokens=64)
    assert times.refused == 0
    assert set(times.warm) == {5, 9}
    for spread in (times.cold, times.explained, *times.warm.values()):
        assert 0 < spread.p50 <= spread.p90 <= spread.p99
    assert "retrieval_encode" in times.stages
    assert set(times.device) == {"retrieval", "verifier"}
    assert min(times.device.values()) > 0
