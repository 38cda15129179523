"""Verifiers that say what they were told to."""

from collections.abc import Mapping, Sequence

from core.errors import InvalidRequest, SemanticMatchError
from core.results import Photo, Verdict


class ScriptedVerifier:
    """Knows its confidences beforehand, by the candidate's content hash; 0 for candidates it was not told of.

    Attributes:
        asked: content hashes of the candidates of every call, in order.
    """

    def __init__(
        self, confidences: Mapping[str, float] | None = None, *, name: str = "scripted", threshold: float = 0.5
    ) -> None:
        self.fingerprint = f"{name} (fake)"
        self.asked: list[list[str | None]] = []
        self._confidences = dict(confidences or {})
        self._threshold = threshold

    def style(self, prompt_style: str | None) -> None:
        """The only style is the default."""

    def verify(
        self, query: Photo, candidates: Sequence[Photo], *, prompt_style: str | None = None, explain: bool = False
    ) -> list[Verdict]:
        """Look each candidate up."""
        if prompt_style not in (None, "simple"):
            raise InvalidRequest(f"unknown prompt style: {prompt_style!r}; known: simple")
        self.asked.append([candidate.content_hash for candidate in candidates])
        return [self._verdict(candidate, explain) for candidate in candidates]

    def _verdict(self, candidate: Photo, explain: bool) -> Verdict:
        confidence = self._confidences.get(candidate.content_hash or "", 0.0)
        word = "yes" if confidence >= 0.5 else "no"
        response = f"because I was told so\nAnswer: {word}" if explain else word
        return Verdict(confidence >= self._threshold, confidence, response)


class FailingVerifier:
    """Fails every call the same way."""

    def __init__(self, error: SemanticMatchError) -> None:
        self.fingerprint = "failing (fake)"
        self._error = error

    def style(self, prompt_style: str | None) -> None:
        """The only style is the default."""

    def verify(
        self, query: Photo, candidates: Sequence[Photo], *, prompt_style: str | None = None, explain: bool = False
    ) -> list[Verdict]:
        """Raise."""
        raise self._error
