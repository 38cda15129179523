"""Keypoints and descriptors of one photo: how they are found and how they are stored."""
