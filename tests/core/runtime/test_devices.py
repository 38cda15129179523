from types import SimpleNamespace

import pytest
import torch

from core.errors import BackendUnavailable, InvalidRequest
from core.runtime.devices import attend_without_plans, choose_device, device_of

no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is present: its absence cannot be tried")


@no_gpu
def test_auto_falls_back_to_the_cpu_and_says_why():
    """Without a GPU the CPU is used in float32, and the reason is there to be shown."""
    choice = choose_device()
    assert (choice.device.type, choice.dtype, choice.is_cuda) == ("cpu", torch.float32, False)
    assert "no CUDA device" in choice.reason


@no_gpu
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_a_gpu_asked_for_by_name_is_never_replaced(device: str):
    """Asking for a GPU that is not there is an error, not a slow start on the CPU."""
    with pytest.raises(BackendUnavailable, match="0 CUDA devices are visible"):
        choose_device(device)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device: its choice cannot be tried")
def test_auto_takes_the_gpu_in_bfloat16():
    """With a GPU it is used, in bfloat16, and named."""
    choice = choose_device()
    assert (choice.device, choice.dtype) == (torch.device("cuda:0"), torch.bfloat16)
    assert torch.cuda.get_device_name(0) in choice.reason


@pytest.mark.parametrize(
    ("capability", "dtype"), [((7, 5), torch.float32), ((8, 0), torch.bfloat16), ((9, 0), torch.bfloat16)]
)
def test_cards_without_bfloat16_compute_in_float32(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], dtype: torch.dtype
):
    """A T4 or 2080 Ti would emulate bfloat16; the reason names the format."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _index: "a card")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: capability)

    choice = choose_device()

    assert choice.dtype == dtype
    assert str(dtype).removeprefix("torch.") in choice.reason


def test_attention_builds_no_plan_for_every_shape():
    """Attention by cuDNN is off once a model is loaded; the other kernels take any shape at once."""
    before = torch.backends.cuda.cudnn_sdp_enabled()
    try:
        torch.backends.cuda.enable_cudnn_sdp(True)
        attend_without_plans()
        assert not torch.backends.cuda.cudnn_sdp_enabled()
        assert torch.backends.cuda.mem_efficient_sdp_enabled()
    finally:
        torch.backends.cuda.enable_cudnn_sdp(before)


def test_the_dtype_can_be_chosen():
    """A dtype asked for by name is used as it is."""
    assert choose_device("cpu", "bfloat16").dtype == torch.bfloat16


@pytest.mark.parametrize(("device", "dtype"), [("gpu", "auto"), ("cuda:", "auto"), ("cuda:x", "auto"), ("cpu", "fp8")])
def test_unknown_names_are_refused(device: str, dtype: str):
    """A name that means nothing here is answered with those that do."""
    with pytest.raises(InvalidRequest, match="accepted: auto"):
        choose_device(device, dtype)


def test_float16_is_refused_and_the_reason_given():
    """DINOv3 and Qwen-VL overflow in it: they would answer in NaN or nonsense only once photos come."""
    with pytest.raises(InvalidRequest, match=r"float16 is refused.*overflow.*accepted: auto, bfloat16, float32$"):
        choose_device("cpu", "float16")


def test_a_model_with_a_device_tells_where_it_runs():
    """Whoever runs the product sees it; a model that runs elsewhere has nothing to tell."""
    model = SimpleNamespace(device=choose_device("cpu"))

    assert device_of(model) is model.device
    assert device_of(object()) is device_of(SimpleNamespace(device="cuda")) is None
