"""Any number of inputs through a network in batches that fit the device."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

import torch

from core.errors import OutOfMemory

Item = TypeVar("Item")

RECOVERS_AFTER_S = 300.0
"""Seconds after which a batch may have its full size again: another process may have had the memory for a moment."""

logger = logging.getLogger(__name__)


@contextmanager
def naming_what_did_not_fit(message: str) -> Iterator[None]:
    """Run what no smaller batch would help.

    Args:
        message: what did not fit, and what to choose instead.

    Raises:
        OutOfMemory: with the message, where the device runs out of memory.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(message) from error


class BatchLimit:
    """How many inputs go through a network at once; fewer for some minutes after the device ran out of memory.

    Attributes:
        halvings: how often it was halved.
    """

    def __init__(
        self, most: int, *, recovers_after_s: float = RECOVERS_AFTER_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Set the full size.

        Args:
            most: the full size, >= 1.
            recovers_after_s: how long a smaller size is kept.
            clock: seconds that pass.
        """
        self.halvings = 0
        self._most = most
        self._now = most
        self._until_s = 0.0
        self._recovers_after_s = recovers_after_s
        self._clock = clock

    @property
    def now(self) -> int:
        """The current size."""
        if self._now < self._most and self._clock() >= self._until_s:
            self._now = self._most
        return self._now

    def halve(self, failed: int) -> None:
        """Keep batches to half of ``failed`` inputs, which did not fit, for some minutes."""
        self.halvings += 1
        self._now = max(1, min(self._now, failed // 2))
        self._until_s = self._clock() + self._recovers_after_s
        logger.warning(
            "a batch of %d did not fit the device; at most %d for the next %.0f s",
            failed,
            self._now,
            self._recovers_after_s,
        )


class BoundedForward(Generic[Item]):
    """Cuts inputs into batches; a batch that does not fit is halved, and the smaller size is kept for some minutes.

    Attributes:
        limit: of a batch.
    """

    def __init__(self, forward: Callable[[Sequence[Item]], torch.Tensor], limit: int | BatchLimit) -> None:
        """Wrap ``forward``, which turns n inputs into a tensor [n, ...]."""
        self._forward = forward
        self.limit = limit if isinstance(limit, BatchLimit) else BatchLimit(limit)

    def __call__(self, items: Sequence[Item]) -> torch.Tensor:
        """Run all N >= 1 inputs: [N, ...], row i for input i.

        Raises:
            OutOfMemory: not even a single input fitted.
        """
        rows: list[torch.Tensor] = []
        done = 0
        while done < len(items):
            batch = items[done : done + self.limit.now]
            result = self._try(batch)
            if result is not None:
                rows.append(result)
                done += len(batch)
                continue
            if len(batch) == 1:
                raise OutOfMemory(
                    "a single photo did not fit the device's memory; choose a smaller input size or model"
                )
            self.limit.halve(len(batch))
        return torch.cat(rows)

    def _try(self, batch: Sequence[Item]) -> torch.Tensor | None:
        try:
            return self._forward(batch)
        except torch.OutOfMemoryError:
            pass
        # Outside of the handler, the exception no longer holds the tensors of the failed pass.
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return None
