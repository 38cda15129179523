"""Verification by a local Qwen-VL model."""
