"""Bytes of a photo to upright RGB pixels, and back: formats, limits, metadata."""
