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
        """Identify the prompt that a call with this style is asked in, for calibrations.

        Returns:
            None for the verifier's own default, whether named or not, and from verifiers that read no prompt; else the
            style's name and a digest of its texts.

        Raises:
            InvalidRequest: unknown prompt style.
        """
        ...

    def verify(
        self, query: Photo, candidates: Sequence[Photo], *, prompt_style: str | None = None, explain: bool = False
    ) -> Sequence[Verdict | None]:
        """Judge all candidates of one query together.

        Args:
            query: the photo asked about.
            candidates: K >= 0 gallery photos.
            prompt_style: overrides the backend's default style; backends that read no prompt ignore it.
            explain: ask the backend for its reasons as well; slower.

        Returns:
            K verdicts in the order of ``candidates``; None for one that could not be judged. A backend may look harder
            at a query that no candidate clearly resembles; apart from that, verdict i does not depend on the others.

        Raises:
            InvalidRequest: unknown prompt style.
            NoVerdict: there are candidates, and none could be judged.
            BackendUnavailable: no answer could be had.
        """
        ...


@runtime_checkable
class ReadsPrompts(Protocol):
    """A verifier whose prompt styles ask for more or less certainty."""

    def threshold(self, prompt_style: str | None) -> float | None:
        """Confidence from which a call with this style accepts a pair, [0, 1]; None where none is asked for.

        Raises:
            InvalidRequest: unknown prompt style.
        """
        ...


def style_threshold(verifier: Verifier, prompt_style: str | None) -> float | None:
    """What decides where neither the operator nor a calibration does; see ``ReadsPrompts.threshold``."""
    return verifier.threshold(prompt_style) if isinstance(verifier, ReadsPrompts) else None


@runtime_checkable
class WritesReasons(Protocol):
    """A verifier that can say in sentences why."""

    def write_reasons(self, query: Photo, candidate: Photo, *, prompt_style: str | None, is_match: bool) -> str:
        """Write why the two photos match, or do not; far slower than a verdict, as every token takes a forward pass.

        Args:
            query: the photo asked about.
            candidate: a gallery photo.
            prompt_style: in which the verdict was given.
            is_match: what the verdict said.

        Raises:
            InvalidRequest: unknown prompt style.
            BackendUnavailable: nothing could be written.
        """
        ...


@runtime_checkable
class RemembersPhotos(Protocol):
    """A verifier that caches what it computes from gallery photos."""

    @property
    def caches(self) -> Mapping[str, BoundedCache[Any, Any]]:
        """What it keeps, by a name for operators."""
        ...


@dataclass(frozen=True, slots=True)
class ServerState:
    """A server that a verifier asks.

    Attributes:
        name: host and port.
        away_because: why it is left alone; None while it is asked.
        in_flight: requests that it has not answered yet.
        answered: requests so far.
        failed: requests and checks so far.
    """

    name: str
    away_because: str | None
    in_flight: int
    answered: int
    failed: int


@runtime_checkable
class AsksServers(Protocol):
    """A verifier that asks servers for some or all verdicts."""

    @property
    def servers(self) -> Sequence[ServerState]:
        """Those that it asks; none where it asks nobody after all."""
        ...

    @property
    def queries_at_once(self) -> int:
        """How many threads may sensibly call ``verify`` at the same time, >= 1."""
        ...
