"""A query photo to ranked candidates."""
