"""A network recorded once per batch size and replayed as a CUDA graph.

A large ViT on one photo takes the GPU less time than Python takes to launch its thousand kernels; a graph launches
them as one. Recording needs no compiler, unlike ``torch.compile``.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

Network = Callable[[torch.Tensor], torch.Tensor]

logger = logging.getLogger(__name__)
_WARM_UPS = 3  # what PyTorch's documentation asks for before a capture: lazy initialisations must be over


@dataclass(frozen=True, slots=True)
class Recording:
    """A recorded forward pass.

    Attributes:
        pixels: the buffer that ``replay`` reads.
        result: the buffer that ``replay`` writes.
        replay: computes ``result`` from ``pixels``.
        reads: further tensors that ``replay`` reads, kept here because it would read freed memory without an error.
    """

    pixels: torch.Tensor
    result: torch.Tensor
    replay: Callable[[], None]
    reads: tuple[torch.Tensor, ...] = ()


class CudaRecorder:
    """Records forward passes as CUDA graphs."""

    def __init__(self) -> None:
        """Create the memory pool that all recordings share for intermediate values.

        Sharing is safe because replays never overlap and their results are copied out before the next replay.
        """
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, network: Network, pixels: torch.Tensor) -> Recording:
        """Record ``network`` on inputs of the shape of ``pixels``."""
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(_WARM_UPS):
                network(pixels)
            reads = tensors_read(network, pixels)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        # Other threads go on using the GPU: they search, and move photos there.
        with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
            result = network(pixels)
        return Recording(pixels, result, graph.replay, reads)


class _Reads(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Collects the tensors that operations read and that none of them made."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: dict[int, torch.Tensor] = {}
        self._made: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        for tensor in _tensors((args, kwargs)):
            address = tensor.untyped_storage().data_ptr()
            if address not in self._made:
                self.found.setdefault(address, tensor)
        result = func(*args, **(kwargs or {}))
        for tensor in _tensors(result):
            address = tensor.untyped_storage().data_ptr()
            if address not in self.found:
                self._made.add(address)
        return result


def tensors_read(network: Network, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Run a network once, and give the tensors that it reads: its weights, and what others keep for it in caches.

    A network that ``torch.compile`` made reads its own weights only, and is not run.
    """
    if hasattr(network, "_orig_mod"):
        return ()
    with _Reads() as reads:
        network(pixels)
    return tuple(reads.found.values())


def _tensors(nested: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(nested) if isinstance(leaf, torch.Tensor)]


class GraphedNetwork:
    """Calls a network through recordings, padding batches to a few sizes. Not thread-safe: buffers are reused.

    Inputs of more shapes than ``max_recordings``, and everything after a failed recording, run directly.
    """

    def __init__(
        self,
        network: Network,
        max_batch: int,
        record: Callable[[Network, torch.Tensor], Recording],
        *,
        faster: Network | None = None,
        max_recordings: int = 12,
    ) -> None:
        """Wrap a network whose row i depends on input i alone.

        Args:
            network: [n, ...] to [n, ...] on one device, without data-dependent shapes.
            max_batch: the largest batch worth recording.
            record: makes a recording.
            faster: another form of the network to record, compiled; where that fails, ``network`` itself is recorded.
            max_recordings: bounds the memory that recordings hold.
        """
        self._network = network
        self._sizes = padded_sizes(max_batch)
        self._record = record
        self._max_recordings = max_recordings
        self._recordings: dict[tuple[int, ...], Recording] = {}
        self._recordable = [faster, network] if faster else [network]

    @property
    def recorded(self) -> int:
        """Number of recordings."""
        return len(self._recordings)

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """Run [n, ...]; the result is a copy that later calls do not change."""
        count = len(pixels)
        size = next((size for size in self._sizes if size >= count), None)
        recording = self._recording_for(pixels, size) if size else None
        if recording is None:
            return self._network(pixels)
        recording.pixels[:count].copy_(pixels)
        recording.replay()
        return recording.result[:count].clone()

    def record_all(self, example: torch.Tensor) -> None:
        """Record every size, so that no caller waits for one; the largest first, as its memory serves the others.

        A size that does not fit into the device's memory is left out.

        Args:
            example: [1, ...] of the shape, number format and device of inputs.
        """
        for size in reversed(self._sizes):
            try:
                self._recording_for(example, size)
            except torch.OutOfMemoryError:
                logger.warning("a batch of %d does not fit the device and is not recorded", size)

    def _recording_for(self, pixels: torch.Tensor, size: int) -> Recording | None:
        shape = (size, *pixels.shape[1:])
        while shape not in self._recordings:
            if not self._recordable or len(self._recordings) >= self._max_recordings:
                return None
            try:
                self._recordings[shape] = self._record(self._recordable[0], pixels.new_zeros(shape))
            except torch.OutOfMemoryError:
                raise
            except RuntimeError:  # no compiler, or an operation that cannot be captured; the network itself still works
                del self._recordable[0]
                way = "recording the network as it is" if self._recordable else "running without graphs"
                logger.warning("recording a CUDA graph failed; %s", way, exc_info=True)
        return self._recordings[shape]


def padded_sizes(max_batch: int) -> list[int]:
    """Batch sizes worth recording: powers of two below ``max_batch``, and ``max_batch``."""
    sizes = [1]
    while sizes[-1] * 2 < max_batch:
        sizes.append(sizes[-1] * 2)
    return sizes if max_batch == 1 else [*sizes, max_batch]
