"""The words and letters of ``vocabulary.toml``, read once."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path


@cache
def read_words(section: str) -> Mapping[str, tuple[str, ...]]:
    """The lists of words of a section, by name."""
    return {name: tuple(text.split()) for name, text in _read()[section].items()}


@cache
def read_characters() -> Mapping[str, frozenset[str]]:
    """The frequent characters of each script."""
    return {name: frozenset(text) - {"\n"} for name, text in _read()["characters"].items()}


@cache
def _read() -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads((Path(__file__).parent / "vocabulary.toml").read_text(encoding="utf-8"))
