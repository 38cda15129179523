"""The verifier service (M3): a photo and its candidates in, ranked verdicts out. It only reads the gallery."""
