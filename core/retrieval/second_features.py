"""Features that see further than an encoder's own, for queries that those leave unclear."""

from core.local_features.aliked import AlikedExtractor, is_installed
from core.results import EncoderFingerprint
from core.retrieval.retriever import FeatureExtractor


def open_second_extractor(encoder: EncoderFingerprint) -> FeatureExtractor | None:
    """Load ALIKED beside an encoder with local features.

    Args:
        encoder: that made the gallery.

    Returns:
        None where the encoder has none, or the weights are not installed.
    """
    return AlikedExtractor() if encoder.name == "embedded" and is_installed() else None
