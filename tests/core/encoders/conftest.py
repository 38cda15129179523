import importlib.util
from pathlib import Path

import pytest
import torch


def _name_torchvision_operators() -> torch.library.Library | None:
    """Make torchvision importable beside a CPU torch, where somebody put it to compare with the official processors.

    PyPI's build is for CUDA: its C++ operators do not load here, and the import needs no more than their names.
    """
    if importlib.util.find_spec("torchvision") is None or torch.cuda.is_available():
        return None
    operators = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return operators


# Before transformers is imported, and kept: the names vanish with the object.
TORCHVISION_OPERATORS = _name_torchvision_operators()

from scripts.tiny_models.dino import build_dinov2, build_dinov3  # noqa: E402 - see above


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Torch's spinning barriers cost twenty times the work where the cores are shared."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def dino_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Tiny random models of every kind the encoder runs, laid out like the published ones."""
    root = tmp_path_factory.mktemp("dino")
    return {
        "dinov3": build_dinov3(root / "dinov3"),
        "dinov3-plain": build_dinov3(root / "dinov3-plain", gated=False, num_register_tokens=0),
        "dinov2": build_dinov2(root / "dinov2"),
        "dinov2-registers": build_dinov2(root / "dinov2-registers", registers=4),
    }
