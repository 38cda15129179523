"""Any number of inputs through a network in batches that fit the device."""

import logging
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import torch

from core.errors import OutOfMemory

Item = TypeVar("Item")

logger = logging.getLogger(__name__)


class BoundedForward(Generic[Item]):
    """Cuts inputs into batches; a batch that does not fit is halved, and the smaller size is kept from then on.

    Attributes:
        max_batch: the current limit; only ever shrinks.
    """

    def __init__(self, forward: Callable[[Sequence[Item]], torch.Tensor], max_batch: int) -> None:
        """Wrap ``forward``, which turns n inputs into a tensor [n, ...]."""
        self._forward = forward
        self.max_batch = max_batch

    def __call__(self, items: Sequence[Item]) -> torch.Tensor:
        """Run all N >= 1 inputs: [N, ...], row i for input i.

        Raises:
            OutOfMemory: not even a single input fitted.
        """
        rows: list[torch.Tensor] = []
        done = 0
        while done < len(items):
            batch = items[done : done + self.max_batch]
            result = self._try(batch)
            if result is not None:
                rows.append(result)
                done += len(batch)
                continue
            if len(batch) == 1:
                raise OutOfMemory(
                    "a single photo did not fit the device's memory; choose a smaller input size or model"
                )
            self.max_batch = len(batch) // 2
            logger.warning("a batch of %d did not fit; from now on at most %d", len(batch), self.max_batch)
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
