"""Prompt styles, questions and how replies are read."""
