"""The port of verifiers: one query and its candidates to one verdict per candidate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from core.results import Photo, Verdict
from core.runtime.bounded_cache import BoundedCache


class Verifier(Protocol):
    """Decides for each candidate whether it shows the query's place.

    Attributes:
        fingerprint: names the backend, its weights and settings; a calibration holds for one fingerprint only.
    """

    fingerprint: str

    def style(self, prompt_style: str | None) -> str | None:
        """Identify the prompt of a call with this style, for calibrations.

        Returns:
            The style's name and a digest of its texts; None for the verifier's default style, whether named or not,
            and from verifiers without prompts.

        Raises:
            InvalidRequest: unknown prompt style.
        """
        ...

    def verify(
        self, query: Photo, candidates: Sequence[Photo], *, prompt_style: str | None = None, explain: bool = False
    ) -> Sequence[Verdict | None]:
        """Verify all candidates of one query together.

        Args:
            query: the visitor's photo.
            candidates: K >= 0 gallery photos; a backend that is shown several photos of a place looks at a candidate's
                ``views`` too.
            prompt_style: overrides the backend's default style; backends without prompts ignore it.
            explain: also ask the backend for its reasons; slower.

        Returns:
            K verdicts in the order of ``candidates``; None for a pair without a verdict. A backend may examine further
            views of a query that no candidate clearly resembles, or ask about the likeliest candidates in another
            order too; apart from that, verdict i does not depend on the other candidates.

        Raises:
            InvalidRequest: unknown prompt style.
            NoVerdict: there are candidates, and no pair got a verdict.
            BackendUnavailable: the backend did not answer.
        """
        ...


@runtime_checkable
class ReadsPrompts(Protocol):
    """A verifier whose prompt styles have acceptance thresholds."""

    def threshold(self, prompt_style: str | None) -> float | None:
        """Return the confidence from which a call with this style accepts a pair, [0, 1]; None if it sets none.

        Raises:
            InvalidRequest: unknown prompt style.
        """
        ...


def style_threshold(verifier: Verifier, prompt_style: str | None) -> float | None:
    """Return the threshold used without a calibration or an operator's threshold; see ``ReadsPrompts.threshold``."""
    return verifier.threshold(prompt_style) if isinstance(verifier, ReadsPrompts) else None


@runtime_checkable
class TakesSeveralViews(Protocol):
    """A verifier that can be shown several photos of a place in one question, and gives one verdict about them."""

    def views_together(self, prompt_style: str | None) -> int:
        """Return how many photos of a place a question of this style may show, >= 1; further ones are left out.

        Raises:
            InvalidRequest: unknown prompt style.
        """
        ...


def views_together(verifier: Verifier, prompt_style: str | None) -> int:
    """Return how many photos of a place a question shows: 1 unless the verifier says otherwise."""
    return verifier.views_together(prompt_style) if isinstance(verifier, TakesSeveralViews) else 1


@runtime_checkable
class WritesReasons(Protocol):
    """A verifier that can write the reasons of a verdict."""

    def write_reasons(self, query: Photo, candidate: Photo, *, prompt_style: str | None, is_match: bool) -> str:
        """Write why the two photos match, or do not; far slower than a verdict, as every token takes a forward pass.

        Args:
            query: the visitor's photo.
            candidate: a gallery photo.
            prompt_style: of the verdict.
            is_match: of the verdict.

        Raises:
            InvalidRequest: unknown prompt style.
            BackendUnavailable: the backend did not answer.
        """
        ...


@runtime_checkable
class WarmsUp(Protocol):
    """A verifier whose device takes long for the first call of a kind."""

    def warm_up(self) -> None:
        """Run every kind of call once, so that no visitor waits for the first one."""
        ...


@runtime_checkable
class RemembersPhotos(Protocol):
    """A verifier that caches what it computes from gallery photos."""

    @property
    def caches(self) -> Mapping[str, BoundedCache[Any, Any]]:
        """The caches, by the names that operators see."""
        ...


@runtime_checkable
class TakesReducedPhotos(Protocol):
    """A verifier that reads a visitor's photo at a limited size."""

    @property
    def photo_side(self) -> int:
        """Longest side of a visitor's photo that it makes use of, pixels."""
        ...


def photo_side(verifier: Verifier) -> int | None:
    """Return the longest side of a visitor's photo that a verifier makes use of; None if it reads larger photos too."""
    return verifier.photo_side if isinstance(verifier, TakesReducedPhotos) else None


@dataclass(frozen=True, slots=True)
class ServerState:
    """A server that a verifier asks.

    Attributes:
        name: host and port.
        away_because: why it is skipped; None while it gets requests.
        in_flight: requests without an answer yet.
        answered: number of answered requests.
        failed: number of failed requests and checks.
    """

    name: str
    away_because: str | None
    in_flight: int
    answered: int
    failed: int


@runtime_checkable
class AsksServers(Protocol):
    """A verifier that gets some or all verdicts from servers."""

    @property
    def servers(self) -> Sequence[ServerState]:
        """The servers; empty if this instance uses none."""
        ...


@runtime_checkable
class TakesSeveralQueries(Protocol):
    """A verifier that gains from being called by several threads."""

    @property
    def queries_at_once(self) -> int:
        """How many threads should call ``verify`` at the same time, >= 1."""
        ...


def queries_at_once(verifier: Verifier) -> int:
    """Return how many threads should call ``verify`` at the same time: 1 unless the verifier says otherwise."""
    return max(1, verifier.queries_at_once) if isinstance(verifier, TakesSeveralQueries) else 1
