"""The stage times of the last answers, for the status page. Prometheus has the complete history."""

from collections import deque
from collections.abc import Mapping
from statistics import median

_MOST = 200


class RecentTimes:
    """The stage times of the last answers."""

    def __init__(self, most: int = _MOST) -> None:
        """Start without answers.

        Args:
            most: number of answers kept, >= 1.
        """
        self._answers: deque[Mapping[str, float]] = deque(maxlen=most)

    def note(self, timings_ms: Mapping[str, float]) -> None:
        """Add the times of one answer."""
        self._answers.append(dict(timings_ms))

    @property
    def count(self) -> int:
        """Number of answers kept."""
        return len(self._answers)

    def summary(self) -> dict[str, dict[str, int]]:
        """Return the median and the 95th percentile of every stage, in the order in which the stages ran.

        Returns:
            Milliseconds, ``median`` and ``p95``. An answer without a stage is not counted in it.
        """
        stages: dict[str, list[float]] = {}
        for answer in self._answers:
            for stage, spent_ms in answer.items():
                stages.setdefault(stage, []).append(spent_ms)
        return {
            stage: {"median": round(median(spent)), "p95": round(sorted(spent)[-1 - len(spent) // 20])}
            for stage, spent in stages.items()
        }
