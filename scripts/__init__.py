"""Command-line tools around core."""
