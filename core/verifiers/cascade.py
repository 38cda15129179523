"""Two verifiers in a row: the slow one only sees pairs that the quick one leaves open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from core.errors import BackendUnavailable, InvalidRequest, NoVerdict
from core.results import Photo, Verdict
from core.runtime.bounded_cache import BoundedCache
from core.runtime.cancellation import raise_if_cancelled
from core.runtime.devices import DeviceChoice, device_of
from core.verifiers import VERIFIERS
from core.verifiers.base import AsksServers, RemembersPhotos, ServerState, Verifier, WritesReasons, style_threshold


@dataclass(frozen=True, slots=True)
class SettledBy:
    """The confidences at which the first verifier decides a pair.

    Attributes:
        accept_from: the pair is a match at or above this, [0, 1].
        reject_below: the pair is no match below this, [0, 1]; 0 leaves every rejection to the second verifier.
    """

    accept_from: float
    reject_below: float

    def __post_init__(self) -> None:
        if not 0 <= self.reject_below <= self.accept_from <= 1:
            raise InvalidRequest(
                f"a cascade settled below {self.reject_below} and from {self.accept_from}; "
                "accepted: 0 <= reject_below <= accept_from <= 1"
            )

    def settles(self, confidence: float) -> bool:
        """Whether the second verifier need not be asked."""
        return confidence >= self.accept_from or confidence < self.reject_below


class CascadeVerifier:
    """Geometry first; the pairs that it leaves open go to a vision-language model.

    A pair's confidence is that of the verifier that decided it. ``response`` has the responses of both, and the
    verdict keeps the points on which the photos agree in either case.

    Attributes:
        fingerprint: those of both verifiers and the thresholds between them.
    """

    def __init__(
        self,
        first: str | Verifier = "geometric",
        second: str | Verifier = "qwen3-vl",
        *,
        accept_from: float = 0.99,
        reject_below: float = 0.0,
        first_options: Mapping[str, Any] | None = None,
        **second_options: Any,
    ) -> None:
        """Join two verifiers.

        Args:
            first: the quick one, by name or ready.
            second: the slow one, by name or ready.
            accept_from: see ``SettledBy``; of the 85 pairs of evaluation photos that geometry puts at 0.99 or above,
                none showed two places (at 0.98, one of 98).
            reject_below: see ``SettledBy``; 0, because geometry finding nothing proves nothing: the other side of a
                building shares no point with this one.
            first_options: what the first is made with, if given by name.
            second_options: likewise the second: its model, prompt style and so on.

        Raises:
            InvalidRequest: thresholds in the wrong order, or options for a verifier given ready.
            UnknownBackend: a name that no verifier has.
            BackendUnavailable: one of the two cannot work here.
        """
        self._settled = SettledBy(accept_from, reject_below)
        self._first = _make(first, first_options or {})
        self._second = _make(second, second_options)
        self.fingerprint = (
            f"cascade ({self._first.fingerprint}, settled below {reject_below:g} and from {accept_from:g}; "
            f"{self._second.fingerprint})"
        )

    @property
    def caches(self) -> dict[str, BoundedCache[Any, Any]]:
        """Those of both verifiers."""
        both = (self._first, self._second)
        return {
            name: kept
            for verifier in both
            if isinstance(verifier, RemembersPhotos)
            for name, kept in verifier.caches.items()
        }

    @property
    def servers(self) -> Sequence[ServerState]:
        """Those that the second verifier asks."""
        return self._second.servers if isinstance(self._second, AsksServers) else ()

    @property
    def device(self) -> DeviceChoice | None:
        """The second verifier's; the first one's where the second runs elsewhere."""
        return device_of(self._second) or device_of(self._first)

    @property
    def queries_at_once(self) -> int:
        """As many as both verifiers take."""
        both = (self._first, self._second)
        return min(verifier.queries_at_once if isinstance(verifier, AsksServers) else 1 for verifier in both)

    def style(self, prompt_style: str | None) -> str | None:
        """That of the second verifier, or of the first where that reads none."""
        return self._second.style(prompt_style) or self._first.style(prompt_style)

    def threshold(self, prompt_style: str | None) -> float | None:
        """That of the second verifier, or of the first where that reads none."""
        second = style_threshold(self._second, prompt_style)
        return style_threshold(self._first, prompt_style) if second is None else second

    def verify(
        self, query: Photo, candidates: Sequence[Photo], *, prompt_style: str | None = None, explain: bool = False
    ) -> list[Verdict | None]:
        """Judge all candidates of one query; see ``core.verifiers.base.Verifier``."""
        # Both verifiers may look at the pixels, and each photo is to be decoded once.
        query, *candidates = (replace(photo, load=cache(photo.load)) for photo in (query, *candidates))
        first = self._first.verify(query, candidates, prompt_style=prompt_style, explain=explain)
        settled = [verdict is not None and self._settled.settles(verdict.confidence) for verdict in first]
        open_pairs = [number for number, is_settled in enumerate(settled) if not is_settled]
        raise_if_cancelled()
        try:
            # Asked even about no pair at all, so that an unknown prompt style never passes unnoticed.
            second = self._second.verify(
                query, [candidates[number] for number in open_pairs], prompt_style=prompt_style, explain=explain
            )
        except NoVerdict:
            if len(open_pairs) == len(first):
                raise
            second = [None] * len(open_pairs)  # which leaves those that the first has settled
        verdicts = [verdict and self._settled_verdict(verdict) for verdict in first]
        for number, verdict in zip(open_pairs, second, strict=True):
            verdicts[number] = verdict and self._joined(first[number], verdict)
        return verdicts

    def write_reasons(self, query: Photo, candidate: Photo, *, prompt_style: str | None, is_match: bool) -> str:
        """Have the second verifier say why, where it can; see ``core.verifiers.base.WritesReasons``."""
        if not isinstance(self._second, WritesReasons):
            raise BackendUnavailable(f"{self._second.fingerprint.split(' ')[0]} writes no reasons")
        return self._second.write_reasons(query, candidate, prompt_style=prompt_style, is_match=is_match)

    def _settled_verdict(self, verdict: Verdict) -> Verdict:
        is_match = verdict.confidence >= self._settled.accept_from
        return replace(verdict, is_match=is_match, response=_voice(self._first, verdict))

    def _joined(self, first: Verdict | None, second: Verdict) -> Verdict:
        """The second verifier's verdict with what the first one saw."""
        response = _voice(self._second, second)
        if first is None:
            return replace(second, response=response)
        return replace(
            second,
            response=f"{_voice(self._first, first)}\n{response}",
            correspondences=second.correspondences or first.correspondences,
        )

    def close(self) -> None:
        """Close both verifiers, as far as they have anything to close."""
        for verifier in (self._first, self._second):
            close = getattr(verifier, "close", None)
            if close is not None:
                close()


def _make(verifier: str | Verifier, options: Mapping[str, Any]) -> Verifier:
    if isinstance(verifier, str):
        return VERIFIERS.create(verifier, **options)
    if options:
        raise InvalidRequest(f"options for a verifier that is ready: {', '.join(options)}; give its name instead")
    return verifier


def _voice(verifier: Verifier, verdict: Verdict) -> str:
    """What one of the two said, e.g. ``geometric 0.41: only 9 points agree``."""
    return f"{verifier.fingerprint.split(' ')[0]} {verdict.confidence:.2f}: {verdict.response}"
