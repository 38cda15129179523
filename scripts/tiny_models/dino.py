"""Tiny DINOv3 and DINOv2 folders: config, safetensors, and the preprocessor files of the published models."""

import json
from pathlib import Path
from typing import Any

import torch
from transformers import (
    Dinov2Config,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    DINOv3ViTConfig,
    DINOv3ViTModel,
    PreTrainedModel,
)

_IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "rescale_factor": 1 / 255}

# From the published models' preprocessor_config.json, with the relevant keys only.
_DINOV3_PREPROCESSOR = {
    "image_processor_type": "DINOv3ViTImageProcessorFast",
    "do_resize": True,
    "do_rescale": True,
    "do_normalize": True,
    "resample": 2,
    "size": {"height": 224, "width": 224},
    **_IMAGENET,
}
_DINOV2_PREPROCESSOR = {
    "image_processor_type": "BitImageProcessor",
    "do_convert_rgb": True,
    "do_resize": True,
    "do_center_crop": True,
    "do_rescale": True,
    "do_normalize": True,
    "resample": 3,
    "size": {"shortest_edge": 256},
    "crop_size": {"height": 224, "width": 224},
    **_IMAGENET,
}


def build_dinov3(folder: Path, *, seed: int = 0, gated: bool = True, **changes: Any) -> Path:
    """Write a tiny DINOv3 ViT: hidden 64, 2 layers, patch 16, 4 registers.

    Args:
        folder: created if it does not exist.
        seed: of the random weights.
        gated: whether to use the SwiGLU feed-forward, as ViT-H/16+ does and ViT-S does not.
        changes: any other field of ``DINOv3ViTConfig``, e.g. for a full-size model.

    Returns:
        ``folder``.
    """
    fields: dict[str, Any] = {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_register_tokens": 4,
        "use_gated_mlp": gated,
        "hidden_act": "silu" if gated else "gelu",
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = DINOv3ViTModel(DINOv3ViTConfig(**(fields | changes)))
    return _write(model, _DINOV3_PREPROCESSOR, folder)


def build_dinov2(folder: Path, *, seed: int = 0, registers: int = 0, **changes: Any) -> Path:
    """Write a tiny DINOv2 ViT: hidden 64, 2 layers, patch 14.

    Args:
        folder: created if it does not exist.
        seed: of the random weights.
        registers: 4 makes the variant with registers, which is another class in transformers.
        changes: any other field of the config.

    Returns:
        ``folder``.
    """
    fields: dict[str, Any] = {
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "mlp_ratio": 2,
        "image_size": 518,
        "patch_size": 14,
    }
    model: PreTrainedModel
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if registers:
            config = Dinov2WithRegistersConfig(num_register_tokens=registers, **(fields | changes))
            model = Dinov2WithRegistersModel(config)
        else:
            model = Dinov2Model(Dinov2Config(**(fields | changes)))
    return _write(model, _DINOV2_PREPROCESSOR, folder)


def _write(model: PreTrainedModel, preprocessor: dict[str, Any], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor, indent=2) + "\n", encoding="utf-8")
    return folder
