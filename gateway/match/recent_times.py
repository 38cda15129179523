"""How long the last answers took, stage by stage, for whoever looks at the page. Prometheus has the whole past."""

from collections import deque
from collections.abc import Mapping
from statistics import median

_MOST = 200


class RecentTimes:
    """The stage times of the last answers."""

    def __init__(self, most: int = _MOST) -> None:
        """Start with none.

        Args:
            most: answers remembered, >= 1.
        """
        self._answers: deque[Mapping[str, float]] = deque(maxlen=most)

    def note(self, timings_ms: Mapping[str, float]) -> None:
        """Remember one answer's."""
        self._answers.append(dict(timings_ms))

    @property
    def count(self) -> int:
        """How many answers are remembered."""
        return len(self._answers)

    def summary(self) -> dict[str, dict[str, int]]:
        """Per stage, in the order in which they ran, what half of the answers and what 95 % of them did not exceed.

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
