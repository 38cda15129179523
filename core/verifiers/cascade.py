"""Two verifiers in a row: the slow one gets only the pairs that the fast one does not decide."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from core.errors import BackendUnavailable, InvalidRequest, NoVerdict
from core.results import Photo, Verdict
from core.runtime.bounded_cache import BoundedCache
from core.runtime.cancellation import raise_if_cancelled
from core.runtime.device_use import DeviceUse, device_use_of
from core.runtime.devices import DeviceChoice, device_of
from core.verifiers import VERIFIERS
from core.verifiers.base import (
    AsksServers,
    RemembersPhotos,
    ServerState,
    Verifier,
    WarmsUp,
    WritesReasons,
    queries_at_once,
    style_threshold,
)


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
        """Tell whether the first verifier decides a pair of this confidence."""
        return confidence >= self.accept_from or confidence < self.reject_below


class CascadeVerifier:
    """Verifies by geometry first; undecided pairs go to a vision-language model.

    A pair's confidence is that of the verifier that decided it. ``response`` has the responses of both. The verdict
    always has the matched points of the first verifier.

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
        device: str | None = None,
        first_options: Mapping[str, Any] | None = None,
        **second_options: Any,
    ) -> None:
        """Combine two verifiers.

        Args:
            first: the fast one, by name or as an instance.
            second: the slow one, by name or as an instance.
            accept_from: see ``SettledBy``; of the 85 pairs of evaluation photos that geometry puts at 0.99 or above,
                none showed two places (at 0.98, one of 98).
            reject_below: see ``SettledBy``; 0, because photos without common points may still show one place: two
                sides of a building.
            device: of both, where they are given by name and run on this machine; None is their own default.
            first_options: constructor arguments of the first, if given by name.
            second_options: constructor arguments of the second, if given by name.

        Raises:
            InvalidRequest: thresholds in the wrong order, options for an instance, or several photos in one question.
            UnknownBackend: no verifier has this name.
            BackendUnavailable: one of the two cannot run here.
        """
        self._settled = SettledBy(accept_from, reject_below)
        if second_options.get("views_together", 1) != 1:
            raise InvalidRequest(
                f"views_together is {second_options['views_together']}; accepted by cascade: 1, as the points that its "
                "first verifier matches are those of one photo"
            )
        hints = {} if device is None else {"device": device}
        self._first = _make(first, first_options or {}, hints)
        self._second = _make(second, second_options, hints)
        self.fingerprint = (
            f"cascade ({self._first.fingerprint}, settled below {reject_below:g} and from {accept_from:g}; "
            f"{self._second.fingerprint})"
        )

    @property
    def caches(self) -> dict[str, BoundedCache[Any, Any]]:
        """The caches of both verifiers."""
        both = (self._first, self._second)
        return {
            name: kept
            for verifier in both
            if isinstance(verifier, RemembersPhotos)
            for name, kept in verifier.caches.items()
        }

    @property
    def servers(self) -> Sequence[ServerState]:
        """The servers of the second verifier."""
        return self._second.servers if isinstance(self._second, AsksServers) else ()

    @property
    def device(self) -> DeviceChoice | None:
        """The second verifier's device; the first one's if the second runs in another process."""
        return device_of(self._second) or device_of(self._first)

    @property
    def device_use(self) -> DeviceUse | None:
        """What the second verifier does on its device; None if it runs in another process."""
        return device_use_of(self._second)

    @property
    def queries_at_once(self) -> int:
        """How many threads should call ``verify`` at the same time."""
        both = (self._first, self._second)
        return min(map(queries_at_once, both))

    def style(self, prompt_style: str | None) -> str | None:
        """Identify the second verifier's style; the first one's if the second reads no prompts."""
        return self._second.style(prompt_style) or self._first.style(prompt_style)

    def threshold(self, prompt_style: str | None) -> float | None:
        """Return the second verifier's threshold; the first one's if the second has none."""
        second = style_threshold(self._second, prompt_style)
        return style_threshold(self._first, prompt_style) if second is None else second

    def verify(
        self, query: Photo, candidates: Sequence[Photo], *, prompt_style: str | None = None, explain: bool = False
    ) -> list[Verdict | None]:
        """Verify all candidates of one query; see ``core.verifiers.base.Verifier``."""
        # Both verifiers may read the query's pixels; it is decoded once. Candidates have stored features and previews.
        query = replace(query, load=cache(query.load), load_reduced=None)
        candidates = [replace(candidate, load=cache(candidate.load)) for candidate in candidates]
        first = self._first.verify(query, candidates, prompt_style=prompt_style, explain=explain)
        settled = [verdict is not None and self._settled.settles(verdict.confidence) for verdict in first]
        open_pairs = [number for number, is_settled in enumerate(settled) if not is_settled]
        raise_if_cancelled()
        try:
            # Called even without an open pair, so that an unknown prompt style is always refused.
            second = self._second.verify(
                query, [candidates[number] for number in open_pairs], prompt_style=prompt_style, explain=explain
            )
        except NoVerdict:
            if len(open_pairs) == len(first):
                raise
            second = [None] * len(open_pairs)  # keep the pairs that the first has decided
        verdicts = [verdict and self._settled_verdict(verdict) for verdict in first]
        for number, verdict in zip(open_pairs, second, strict=True):
            verdicts[number] = verdict and self._joined(first[number], verdict)
        return verdicts

    def write_reasons(self, query: Photo, candidate: Photo, *, prompt_style: str | None, is_match: bool) -> str:
        """Let the second verifier write the reasons; see ``core.verifiers.base.WritesReasons``."""
        if not isinstance(self._second, WritesReasons):
            raise BackendUnavailable(f"{self._second.fingerprint.split(' ')[0]} writes no reasons")
        return self._second.write_reasons(query, candidate, prompt_style=prompt_style, is_match=is_match)

    def _settled_verdict(self, verdict: Verdict) -> Verdict:
        is_match = verdict.confidence >= self._settled.accept_from
        return replace(verdict, is_match=is_match, response=_voice(self._first, verdict))

    def _joined(self, first: Verdict | None, second: Verdict) -> Verdict:
        """Join the second verifier's decision with the first one's points and response."""
        response = _voice(self._second, second)
        if first is None:
            return replace(second, response=response)
        return replace(
            second,
            response=f"{_voice(self._first, first)}\n{response}",
            correspondences=second.correspondences or first.correspondences,
        )

    def warm_up(self) -> None:
        """Run every kind of call of both verifiers once."""
        for verifier in (self._first, self._second):
            if isinstance(verifier, WarmsUp):
                verifier.warm_up()

    def close(self) -> None:
        """Close both verifiers."""
        for verifier in (self._first, self._second):
            close = getattr(verifier, "close", None)
            if close is not None:
                close()


def _make(verifier: str | Verifier, options: Mapping[str, Any], hints: Mapping[str, Any]) -> Verifier:
    if isinstance(verifier, str):
        return VERIFIERS.create(verifier, hints, **options)
    if options:
        raise InvalidRequest(f"options for a verifier instance: {', '.join(options)}; give the verifier by name")
    return verifier


def _voice(verifier: Verifier, verdict: Verdict) -> str:
    """Write one verifier's response, e.g. ``geometric 0.41: only 9 points agree``."""
    return f"{verifier.fingerprint.split(' ')[0]} {verdict.confidence:.2f}: {verdict.response}"
