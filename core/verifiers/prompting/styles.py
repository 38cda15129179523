"""Prompt styles: instructions and questions for a vision-language model. This module reads and checks them.

Styles come from ``styles.toml`` beside this file, and from a file of the operator's in the same form.
"""

import hashlib
import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Any

from core.errors import InvalidRequest

DEFAULT_STYLE = "simple"


@dataclass(frozen=True, slots=True)
class PromptStyle:
    """One way of asking whether two photos show the same place. The fields are explained in ``styles.toml``."""

    name: str
    instructions: str
    query_label: str
    candidate_label: str
    cue: str
    yes: tuple[str, ...]
    no: tuple[str, ...]
    threshold: float
    reasons_cue: str
    reasons_first: bool
    max_reason_tokens: int
    answer_label: str

    def accepts(self, confidence: float) -> bool:
        """Whether a pair of this confidence is a match in this style."""
        return confidence >= self.threshold

    def answer(self, confidence: float) -> str:
        """The answer word nearer to ``confidence``."""
        return self.yes[0] if confidence >= 0.5 else self.no[0]


class PromptStyles(Mapping[str, PromptStyle]):
    """The known styles by name."""

    def __init__(self, styles: Mapping[str, PromptStyle]) -> None:
        self._styles = dict(styles)

    def __getitem__(self, name: str) -> PromptStyle:
        return self._styles[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._styles)

    def __len__(self) -> int:
        return len(self._styles)

    def choose(self, name: str) -> PromptStyle:
        """Give the style called ``name``.

        Raises:
            InvalidRequest: there is none; the message lists those that exist.
        """
        if name not in self._styles:
            raise InvalidRequest(f"unknown prompt style: {name!r}; known: {', '.join(self._styles)}")
        return self._styles[name]


def load_styles(file: str | Path | None = None) -> PromptStyles:
    """Read the built-in styles and, over them, those of a file.

    Args:
        file: TOML or JSON, told apart by its suffix; one table per style. A style of a built-in name replaces it.

    Raises:
        InvalidRequest: the file cannot be read or says something that no style has.
    """
    builtin = tomllib.loads(files("core.verifiers.prompting").joinpath("styles.toml").read_text(encoding="utf-8"))
    # The first table is the base of all others, so it is read against itself.
    styles: dict[str, PromptStyle] = {}
    for name, table in builtin.items():
        styles[name] = _read_style(name, builtin[DEFAULT_STYLE] | table, None, "styles.toml")
    if file is not None:
        for name, table in _read_tables(Path(file)).items():
            styles[name] = _read_style(name, table, styles, str(file))
    return PromptStyles(styles)


def digest(style: PromptStyle) -> str:
    """Eight digits that change with any of a style's texts or settings."""
    return hashlib.sha256(repr(style).encode()).hexdigest()[:8]


def identify(styles: PromptStyles, name: str | None, default: PromptStyle) -> str | None:
    """See ``core.verifiers.base.Verifier.style``.

    Raises:
        InvalidRequest: there is no style of that name.
    """
    style = default if name is None else styles.choose(name)
    return None if style == default else f"{style.name} {digest(style)}"


class Shown(StrEnum):
    """Which of the two photos stands at a point of the conversation."""

    QUERY = "query"
    CANDIDATE = "candidate"


@dataclass(frozen=True, slots=True)
class Turn:
    """One message: who speaks, and texts and photos in order."""

    role: str
    parts: tuple[str | Shown, ...]


def compose(style: PromptStyle, *turns: str, candidate_first: bool = False) -> list[Turn]:
    """Write the conversation about one pair.

    The instructions and the query come first and the candidate and the question last, so that conversations about one
    query share the longest possible beginning.

    Args:
        style: what to say.
        turns: what the user asks, what the model replied, what the user asks then, and so on; an odd number.
        candidate_first: shows the candidate before the query.
    """
    first, second = (style.query_label, Shown.QUERY), (style.candidate_label, Shown.CANDIDATE)
    if candidate_first:
        first, second = second, first
    shown = (*first, f"\n{second[0]}", second[1], f"\n{turns[0]}")
    opening = [Turn("system", (style.instructions,)), Turn("user", shown)]
    return opening + [
        Turn("assistant" if number % 2 == 0 else "user", (text,)) for number, text in enumerate(turns[1:])
    ]


def _read_tables(file: Path) -> dict[str, Any]:
    accepted = "accepted: a TOML (.toml) or JSON (.json) file with one table per style"
    try:
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".toml":
            tables = tomllib.loads(text)
        elif file.suffix == ".json":
            tables = json.loads(text)
        else:
            raise InvalidRequest(f"prompt style file {file} has the suffix {file.suffix!r}; {accepted}")
    except (OSError, ValueError) as error:  # both decoders' errors are ValueErrors, and so is bad UTF-8
        raise InvalidRequest(f"prompt style file {file} cannot be read: {error}; {accepted}") from error
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise InvalidRequest(f"prompt style file {file} holds something other than tables; {accepted}")
    return tables


def _read_style(
    name: str, table: Mapping[str, Any], known: Mapping[str, PromptStyle] | None, source: str
) -> PromptStyle:
    given = dict(table)
    base = given.pop("based_on", DEFAULT_STYLE)
    if known is not None and base not in known:
        raise InvalidRequest(f"{source}: style {name} is based on {base!r}; known: {', '.join(known)}")
    checked = {field: _check_field(f"{source}: {name}.{field}", field, value) for field, value in given.items()}
    style = PromptStyle(name=name, **checked) if known is None else replace(known[base], name=name, **checked)
    if overlap := {word.casefold() for word in style.yes} & {word.casefold() for word in style.no}:
        raise InvalidRequest(f"{source}: style {name} has {sorted(overlap)} among both yes and no")
    return style


def _check_field(where: str, field: str, value: Any) -> Any:
    """Check one value of a style's table, and give it in the form the dataclass holds."""
    if field in ("yes", "no"):
        if isinstance(value, list) and value and all(isinstance(word, str) and word.strip() for word in value):
            return tuple(word.strip() for word in value)
        raise InvalidRequest(f"{where} is {value!r}; accepted: a list of at least one word")
    if field == "threshold":
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
            return float(value)
        raise InvalidRequest(f"{where} is {value!r}; accepted: a number in [0, 1]")
    if field == "reasons_first":
        if isinstance(value, bool):
            return value
        raise InvalidRequest(f"{where} is {value!r}; accepted: true or false")
    if field == "max_reason_tokens":
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 2000:
            return value
        raise InvalidRequest(f"{where} is {value!r}; accepted: a whole number from 1 to 2000")
    texts = [entry.name for entry in fields(PromptStyle) if entry.type is str and entry.name != "name"]
    if field not in texts:
        accepted = [entry.name for entry in fields(PromptStyle) if entry.name != "name"]
        raise InvalidRequest(f"{where} is no field of a prompt style; accepted: based_on, {', '.join(accepted)}")
    if not isinstance(value, str) or not value.strip():
        raise InvalidRequest(f"{where} is {value!r}; accepted: a text")
    # A label ends with its own space or colon; every other text is laid out by the file, not by its blank edges.
    return value if field == "answer_label" else value.strip()
