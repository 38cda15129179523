"""Prompt styles: instructions and questions for a vision-language model. This module reads and checks them.

Styles come from ``styles.toml`` beside this file, and from an operator's file in the same format.
"""

import hashlib
import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Any

from core.errors import InvalidRequest
from core.results import Photo

DEFAULT_STYLE = "simple"

MOST_VIEWS = 8
"""Photos of a place that one question may show."""


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
    # Not in repr, so that the digests of earlier styles stay.
    exact_words: bool = field(default=False, repr=False)
    views_label: str = field(default="", repr=False)
    views_cue: str = field(default="", repr=False)

    def accepts(self, confidence: float) -> bool:
        """Tell whether a pair of this confidence is a match in this style."""
        return confidence >= self.threshold

    def label(self, photos: int) -> str:
        """Return what stands before a candidate of so many photos."""
        return self.candidate_label if photos == 1 else self.views_label

    def question(self, photos: int) -> str:
        """Return the question answered by one word about a candidate of so many photos."""
        return self.cue if photos == 1 else self.views_cue

    def answer(self, confidence: float) -> str:
        """Return the answer word for ``confidence``: yes from 0.5, no below."""
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
        """Return the style called ``name``.

        Raises:
            InvalidRequest: there is none; the message lists the known ones.
        """
        if name not in self._styles:
            raise InvalidRequest(f"unknown prompt style: {name!r}; known: {', '.join(self._styles)}")
        return self._styles[name]


def load_styles(file: str | Path | None = None) -> PromptStyles:
    """Read the built-in styles and, over them, those of a file.

    Args:
        file: TOML or JSON, by its suffix; one table per style. A style with a built-in name replaces that one.

    Raises:
        InvalidRequest: the file cannot be read, or has an unknown or invalid field.
    """
    builtin = tomllib.loads(files("core.verifiers.prompting").joinpath("styles.toml").read_text(encoding="utf-8"))
    # The first table is the base of all others and of itself.
    styles: dict[str, PromptStyle] = {}
    for name, table in builtin.items():
        styles[name] = _read_style(name, builtin[DEFAULT_STYLE] | _one_photo(table), None, "styles.toml")
    if file is not None:
        for name, table in _read_tables(Path(file)).items():
            styles[name] = _read_style(name, _one_photo(table), styles, str(file))
    return PromptStyles(styles)


def digest(style: PromptStyle, photos: int = 1) -> str:
    """Return eight hexadecimal digits over a style's texts and settings, for candidates of up to so many photos."""
    text = repr(style) + (" exact words" if style.exact_words else "")
    text += f" {photos} photos {style.views_label!r} {style.views_cue!r}" if photos > 1 else ""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


class ChoosesStyles:
    """Base of verifiers that use prompts: the style of a call, by its name or the default, and what it shows."""

    def __init__(self, prompt_style: str, styles_file: str | Path | None, most_views: int) -> None:
        """Read the styles.

        Args:
            prompt_style: the default of calls.
            styles_file: TOML or JSON with further styles.
            most_views: photos of a place in one question, in styles with texts for several.

        Raises:
            InvalidRequest: there is no such style, the file is not acceptable, or ``most_views`` is out of range.
        """
        if not 1 <= most_views <= MOST_VIEWS:
            raise InvalidRequest(f"views_together is {most_views}; accepted: 1 to {MOST_VIEWS} photos of a place")
        self._styles = load_styles(styles_file)
        self._style = self._styles.choose(prompt_style)
        self._most_views = most_views

    def style(self, prompt_style: str | None) -> str | None:
        """Identify a prompt style; see ``core.verifiers.base.Verifier``."""
        style = self._chosen(prompt_style)
        return None if style == self._style else f"{style.name} {digest(style, self._views_of(style))}"

    def threshold(self, prompt_style: str | None) -> float:
        """Return the style's threshold; see ``core.verifiers.base.ReadsPrompts``."""
        return self._chosen(prompt_style).threshold

    def views_together(self, prompt_style: str | None) -> int:
        """Return how many photos of a place a question shows; see ``core.verifiers.base.TakesSeveralViews``."""
        return self._views_of(self._chosen(prompt_style))

    @property
    def _asking(self) -> str:
        """The part of the fingerprint for the default style and what its questions show."""
        views = self._views_of(self._style)
        together = f"up to {views} photos of a place together; " if views > 1 else ""
        return f"{together}asked in {self._style.name} {digest(self._style, views)}"

    def _views_of(self, style: PromptStyle) -> int:
        return self._most_views if style.views_label else 1

    def _shown(self, style: PromptStyle, candidate: Photo) -> list[Photo]:
        """List the photos of a candidate that a question shows."""
        return [candidate, *candidate.views][: self._views_of(style)]

    def _chosen(self, prompt_style: str | None) -> PromptStyle:
        return self._style if prompt_style is None else self._styles.choose(prompt_style)


class Shown(StrEnum):
    """The place of the query's or the candidate's photo in a conversation."""

    QUERY = "query"
    CANDIDATE = "candidate"


@dataclass(frozen=True, slots=True)
class Turn:
    """One message: its role, and its texts and photos in order."""

    role: str
    parts: tuple[str | Shown, ...]


def compose(style: PromptStyle, *turns: str, photos: int = 1, candidate_first: bool = False) -> list[Turn]:
    """Write the conversation about one pair.

    The instructions and the query come first, the candidate and the question last. Conversations about one query then
    have the longest possible common prefix.

    Args:
        style: the texts.
        turns: the user's question, the model's reply, the next question and so on; an odd number. An empty first
            question leaves the photos alone.
        photos: of the candidate, >= 1; they follow one another.
        candidate_first: put the candidate before the query.
    """
    query: tuple[str | Shown, ...] = (style.query_label, Shown.QUERY)
    candidate: tuple[str | Shown, ...] = (style.label(photos), *[Shown.CANDIDATE] * photos)
    first, second = (candidate, query) if candidate_first else (query, candidate)
    question = (f"\n{turns[0]}",) if turns[0] else ()
    shown = (*first, f"\n{second[0]}", *second[1:], *question)
    opening = [Turn("system", (style.instructions,)), Turn("user", shown)]
    return opening + [
        Turn("assistant" if number % 2 == 0 else "user", (text,)) for number, text in enumerate(turns[1:])
    ]


def _one_photo(table: Mapping[str, Any]) -> Mapping[str, Any]:
    """Let a style that words its question otherwise show one photo, unless it words that about several photos too."""
    if table.keys() & {"candidate_label", "cue"} and not table.keys() >= {"views_label", "views_cue"}:
        return {**table, "views_label": ""}
    return table


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
    checked = {key: _check_field(f"{source}: {name}.{key}", key, value) for key, value in given.items()}
    style = PromptStyle(name=name, **checked) if known is None else replace(known[base], name=name, **checked)
    if overlap := {word.casefold() for word in style.yes} & {word.casefold() for word in style.no}:
        raise InvalidRequest(f"{source}: style {name} has {sorted(overlap)} among both yes and no")
    return style


def _check_field(where: str, key: str, value: Any) -> Any:
    """Check one value of a style's table, and return it in the type of the dataclass's field."""
    if key in ("yes", "no"):
        if isinstance(value, list) and value and all(isinstance(word, str) and word.strip() for word in value):
            return tuple(word.strip() for word in value)
        raise InvalidRequest(f"{where} is {value!r}; accepted: a list of at least one word")
    if key == "threshold":
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
            return float(value)
        raise InvalidRequest(f"{where} is {value!r}; accepted: a number in [0, 1]")
    if key in ("reasons_first", "exact_words"):
        if isinstance(value, bool):
            return value
        raise InvalidRequest(f"{where} is {value!r}; accepted: true or false")
    if key == "max_reason_tokens":
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 2000:
            return value
        raise InvalidRequest(f"{where} is {value!r}; accepted: a whole number from 1 to 2000")
    texts = [entry.name for entry in fields(PromptStyle) if entry.type is str and entry.name != "name"]
    if key not in texts:
        accepted = [entry.name for entry in fields(PromptStyle) if entry.name != "name"]
        raise InvalidRequest(f"{where} is no field of a prompt style; accepted: based_on, {', '.join(accepted)}")
    if key in ("cue", "views_label", "views_cue") and value == "":
        return value
    if not isinstance(value, str) or not value.strip():
        raise InvalidRequest(f"{where} is {value!r}; accepted: a text")
    # A label keeps its final space or colon; of all other texts the blanks at both ends are stripped.
    return value if key == "answer_label" else value.strip()
