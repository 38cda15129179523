"""A network recorded once per batch size and replayed as a CUDA graph.

A large ViT on one photo takes the GPU less time than Python takes to launch its thousand kernels; a graph launches
them as one. Recording needs no compiler, unlike ``torch.compile``.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import torch

_log = logging.getLogger(__name__)
_WARM_UPS = 3  # what PyTorch's documentation asks for before a capture: lazy initialisations must be over


@dataclass(frozen=True, slots=True)
class _Recording:
    graph: torch.cuda.CUDAGraph
    pixels: torch.Tensor
    result: torch.Tensor


class GraphedNetwork:
    """Calls a network through CUDA graphs, padding batches to a few sizes. Not thread-safe: buffers are reused.

    Inputs of more shapes than ``max_recordings``, and everything after a failed recording, run directly.
    """

    def __init__(
        self, network: Callable[[torch.Tensor], torch.Tensor], max_batch: int, *, max_recordings: int = 12
    ) -> None:
        """Wrap a network whose row i depends on input i alone.

        Args:
            network: [n, ...] to [n, ...] on one CUDA device, without data-dependent shapes.
            max_batch: the largest batch worth recording.
            max_recordings: bounds the memory that recordings hold.
        """
        self._network = network
        self._sizes = padded_sizes(max_batch)
        self._max_recordings = max_recordings
        self._recordings: dict[tuple[int, ...], _Recording] = {}
        self._pool = torch.cuda.graph_pool_handle()
        self._records = True

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """Run [n, ...]; the result is a copy that later calls leave alone."""
        count = len(pixels)
        size = next((size for size in self._sizes if size >= count), None)
        recording = self._recording_for(pixels, size) if size else None
        if recording is None:
            return self._network(pixels)
        recording.pixels[:count].copy_(pixels)
        recording.graph.replay()
        return recording.result[:count].clone()

    def _recording_for(self, pixels: torch.Tensor, size: int) -> _Recording | None:
        shape = (size, *pixels.shape[1:])
        if shape not in self._recordings:
            if not self._records or len(self._recordings) >= self._max_recordings:
                return None
            try:
                self._recordings[shape] = self._record(pixels.new_zeros(shape))
            except torch.OutOfMemoryError:
                raise
            except RuntimeError:  # an operation that cannot be captured; the network itself still works
                _log.warning("recording a CUDA graph failed; running without graphs", exc_info=True)
                self._records = False
                return None
        return self._recordings[shape]

    def _record(self, pixels: torch.Tensor) -> _Recording:
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(_WARM_UPS):
                self._network(pixels)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        # One memory pool for all: replays never overlap and results are copied out before the next one.
        with torch.cuda.graph(graph, pool=self._pool):
            result = self._network(pixels)
        return _Recording(graph, pixels, result)


def padded_sizes(max_batch: int) -> list[int]:
    """Batch sizes worth recording: powers of two below ``max_batch``, and ``max_batch``."""
    sizes = [1]
    while sizes[-1] * 2 < max_batch:
        sizes.append(sizes[-1] * 2)
    return sizes if max_batch == 1 else [*sizes, max_batch]
