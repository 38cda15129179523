"""Core values to replies."""
