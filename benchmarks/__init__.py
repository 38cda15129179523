"""Programs that print speed and accuracy against a named baseline."""
