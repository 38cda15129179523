"""Which device and number format a network runs in, and why."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from core.errors import BackendUnavailable, DeviceLost, InvalidRequest

DTYPES = {"bfloat16": torch.bfloat16, "float32": torch.float32}
"""Of networks, by name."""


@dataclass(frozen=True, slots=True)
class DeviceChoice:
    """Where a network runs.

    Attributes:
        device: the torch device.
        dtype: of weights and activations.
        reason: one line for the log and the readiness page.
    """

    device: torch.device
    dtype: torch.dtype
    reason: str

    @property
    def is_cuda(self) -> bool:
        """A CUDA device: graphs, bfloat16 and pinned copies pay off."""
        return self.device.type == "cuda"


_FIRST_WITH_BFLOAT16 = (8, 0)

CPU_ALWAYS = DeviceChoice(torch.device("cpu"), torch.float32, "cpu")
"""Of models that are made for it."""


def choose_device(device: str = "auto", dtype: str = "auto") -> DeviceChoice:
    """Turn two settings into a device and a dtype.

    Args:
        device: ``auto`` (the first CUDA device, else the CPU), ``cpu``, ``cuda`` or ``cuda:N``.
        dtype: ``auto`` (bfloat16 on CUDA devices that compute in it, else float32), ``bfloat16`` or ``float32``.

    Raises:
        InvalidRequest: neither of the above; float16 is refused, as DINOv3 and Qwen-VL compute values beyond its range.
        BackendUnavailable: a CUDA device was asked for by name and there is none such.
    """
    if dtype != "auto" and dtype not in DTYPES:
        fault = f"unknown dtype: {dtype!r}"
        if dtype == "float16":
            fault = "the dtype float16 is refused, because DINOv3 and Qwen-VL overflow in it"
        raise InvalidRequest(f"{fault}; accepted: auto, {', '.join(DTYPES)}")
    chosen, reason = _resolve_device(device)
    if dtype != "auto":
        return DeviceChoice(chosen, DTYPES[dtype], f"{reason}, {dtype} as asked")
    if chosen.type == "cuda":
        # Before Ampere (T4, 2080 Ti) bfloat16 is emulated, and slower than float32.
        if torch.cuda.get_device_capability(chosen) < _FIRST_WITH_BFLOAT16:
            return DeviceChoice(chosen, torch.float32, f"{reason}, float32, as this card has no bfloat16")
        return DeviceChoice(chosen, torch.bfloat16, f"{reason}, bfloat16")
    return DeviceChoice(chosen, torch.float32, f"{reason}, float32")


def attend_without_plans() -> None:
    """Keep attention from cuDNN, which PyTorch prefers on H100 and H200.

    cuDNN builds a plan for every new shape, in about 0.4 s. Photos and numbers of candidates give new shapes all day;
    the other kernels take any shape at once.
    """
    torch.backends.cuda.enable_cudnn_sdp(False)


def convolve_in_float32() -> None:
    """Keep convolutions of float32 in float32, which cuDNN would round to TF32 with its ten bits of fraction.

    Features that were computed on a GPU and on a CPU are matched with one another.
    """
    torch.backends.cudnn.allow_tf32 = False


def multiplies_bfloat16() -> bool:
    """Say whether the processor has instructions for products of bfloat16 matrices; without, they are slower."""
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # PyTorch before 2.11 cannot say
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


# Words of CUDA and its libraries that are followed by the same failure at every later call of the process.
_OF_THE_DEVICE = re.compile(r"(CUDA|HIP|cuDNN|CUBLAS|NCCL) error|CU(DNN|BLAS)_STATUS_(EXECUTION_FAILED|INTERNAL_ERROR)")
# What concerns one call only.
_OF_ONE_CALL = re.compile(r"out of memory|ALLOC_FAILED|invalid argument|not.supported|configuration", re.IGNORECASE)


@contextmanager
def noticing_lost_devices() -> Iterator[None]:
    """Tell the failures after which only a new process can use the device from all others.

    CUDA keeps such an error: whatever is asked of the device afterwards fails with it.

    Raises:
        DeviceLost: it was one of these.
    """
    try:
        yield
    except RuntimeError as error:  # torch.AcceleratorError is one
        message = str(error)
        if (
            isinstance(error, torch.OutOfMemoryError)
            or _OF_ONE_CALL.search(message)
            or not _OF_THE_DEVICE.search(message)
        ):
            raise
        raise DeviceLost("the device failed for good; a new process is needed to use it again") from error


def device_of(model: object) -> DeviceChoice | None:
    """The device of a model; None if it has none, for example because it runs on a server."""
    device = getattr(model, "device", None)
    return device if isinstance(device, DeviceChoice) else None


def _resolve_device(device: str) -> tuple[torch.device, str]:
    present = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "auto":
        if present:
            return torch.device("cuda:0"), f"cuda:0 ({torch.cuda.get_device_name(0)})"
        return torch.device("cpu"), "cpu (no CUDA device is visible)"
    if device == "cpu":
        return torch.device("cpu"), "cpu as asked"
    kind, _, number = device.partition(":")
    if kind != "cuda" or (number and not number.isdigit()) or device.endswith(":"):
        raise InvalidRequest(f"unknown device: {device!r}; accepted: auto, cpu, cuda, cuda:N")
    index = int(number or 0)
    if index >= present:
        raise BackendUnavailable(
            f"device {device} was requested, but {present} CUDA devices are visible; "
            "check the driver and the container's GPU reservation, or set the device to auto or cpu"
        )
    return torch.device("cuda", index), f"cuda:{index} ({torch.cuda.get_device_name(index)}) as asked"
