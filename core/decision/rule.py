"""The rule from evidence to score: a weighted sum, so that every answer can be explained."""

import hashlib
import re
import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from core.calibration.calibration import Models
from core.decision.evidence import SIGNALS, PlaceEvidence

_FILE = "rules.toml"
_DEFAULT = "default"
_STYLE = re.compile(r"asked in (\S+) [0-9a-f]+\)$")


@dataclass(frozen=True, slots=True)
class DecisionRule:
    """Logistic regression over the signals of ``PlaceEvidence``.

    Attributes:
        bias: log-odds with all signals 0.
        weights: log-odds per unit of each signal, in the order of ``SIGNALS``.
        margin_floor: see ``core.decision.evidence.gather``.
        rival_floor: likewise.
        fitted: whether the numbers were fitted to answers of these models.
    """

    bias: float
    weights: tuple[float, ...]
    margin_floor: float = 0.0
    rival_floor: float = -12.0
    fitted: bool = field(default=True, repr=False)  # says nothing about the numbers, which alone make the digest

    @property
    def counts_rivals(self) -> bool:
        """Whether a place that agrees counts against all others."""
        return self.weights[SIGNALS.index("rival")] < 0

    def score(self, evidence: PlaceEvidence) -> float:
        """Log-odds that the query shows this place."""
        return self.bias + sum(self.contributions(evidence).values())

    def contributions(self, evidence: PlaceEvidence) -> dict[str, float]:
        """Return what every signal of the rule adds to the score."""
        return {
            name: weight * getattr(evidence, name) for name, weight in zip(SIGNALS, self.weights, strict=True) if weight
        }


def rule_for(encoder: str, verifier: str, prompt_style: str | None = None) -> DecisionRule:
    """Return the shipped rule for two models; models without one of their own share the default.

    Args:
        encoder: fingerprint.
        verifier: fingerprint.
        prompt_style: as ``Verifier.style`` gives it; None is the one that the verifier's fingerprint names.
    """
    rules = _shipped()
    pair = f"{_first_word(encoder)} {_first_word(verifier)}"
    named = _STYLE.search(verifier)
    style = _first_word(prompt_style) if prompt_style else named[1] if named else ""
    return rules.get(f"{pair} {style}") or rules.get(pair) or rules[_DEFAULT]


def models_in_use(encoder: str, verifier: str, prompt_style: str | None) -> Models:
    """Return what a calibration made now would hold for: the models, and the shipped rule for them.

    Args:
        encoder: fingerprint.
        verifier: fingerprint.
        prompt_style: as ``Verifier.style`` gives it.
    """
    return Models(encoder, verifier, prompt_style, _digest(rule_for(encoder, verifier, prompt_style)))


def _first_word(text: str) -> str:
    return text.partition(" ")[0]


@cache
def _digest(rule: DecisionRule) -> str:
    """Return eight digits that change with any number of the rule; cached, because every match asks for them."""
    return hashlib.sha256(repr(rule).encode()).hexdigest()[:8]


@cache
def _shipped() -> dict[str, DecisionRule]:
    read = tomllib.loads(resources.files("core.decision").joinpath(_FILE).read_text())
    return {
        name: DecisionRule(
            values["bias"],
            tuple(float(values.get(signal, 0.0)) for signal in SIGNALS),
            values.get("margin_floor", 0.0),
            values.get("rival_floor", -12.0),
            values.get("fitted", True),
        )
        for name, values in read.items()
    }
