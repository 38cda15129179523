"""Command-line tools: thin hands on core."""
