"""Verification by an OpenAI-compatible server."""
