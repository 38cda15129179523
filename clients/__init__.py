"""Typed HTTP clients of the two services: base, retrieval, verifier, errors. Used by the gateway and by retrieval."""
