"""Filling a gallery: folders and manifests in, indexed images out; merging and re-embedding."""
