"""The public door: one photo in, one answer out. It knows the contracts and nothing of places or models."""
