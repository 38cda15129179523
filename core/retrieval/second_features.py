"""Features that see further than an encoder's own, for queries that those leave unclear."""

from core.local_features.aliked import AlikedExtractor, is_installed
from core.results import EncoderFingerprint
from core.retrieval.retriever import FeatureExtractor
from core.runtime.devices import CPU_ALWAYS, DeviceChoice


def open_second_extractor(encoder: EncoderFingerprint, device: DeviceChoice | None) -> FeatureExtractor | None:
    """Load ALIKED beside an encoder with local features, on the encoder's device.

    Args:
        encoder: that made the gallery.
        device: the encoder's; None is the CPU.

    Returns:
        None where the encoder has none, or the weights are not installed.
    """
    if encoder.name != "embedded" or not is_installed():
        return None
    return AlikedExtractor((device or CPU_ALWAYS).device)
