import logging

import pytest
import torch

from core.encoders.cuda_graphs import CudaRecorder, GraphedNetwork, Network, Recording, padded_sizes, tensors_read


class FakeRecorder:
    """Recordings that compute on the CPU into one buffer, as a graph does, and count."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.replays = 0

    def __call__(self, network: Network, pixels: torch.Tensor) -> Recording:
        """Record."""
        self.sizes.append(len(pixels))
        result = network(pixels)

        def replay() -> None:
            self.replays += 1
            result.copy_(network(pixels))

        return Recording(pixels, result, replay)


@pytest.fixture
def network() -> torch.nn.Module:
    """Two layers: [n, 16] to [n, 4]."""
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(16, 32), torch.nn.GELU(), torch.nn.Linear(32, 4)).requires_grad_(False)


@pytest.fixture
def inputs() -> torch.Tensor:
    """Twenty inputs of the network."""
    return torch.randn(20, 16, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("max_batch", "sizes"),
    [(1, [1]), (2, [1, 2]), (8, [1, 2, 4, 8]), (12, [1, 2, 4, 8, 12]), (32, [1, 2, 4, 8, 16, 32])],
)
def test_few_sizes_cover_every_batch(max_batch: int, sizes: list[int]):
    """Batches are padded to at most twice their size, never beyond the limit."""
    assert padded_sizes(max_batch) == sizes


def test_every_batch_gets_its_own_rows(network: torch.nn.Module, inputs: torch.Tensor):
    """Padding, leftovers of earlier batches and reused buffers never show in a result, not even later."""
    graphed = GraphedNetwork(network, 8, FakeRecorder())
    results = [
        (count, start, graphed(inputs[start : start + count])) for count, start in ((3, 0), (1, 5), (8, 9), (3, 2))
    ]
    for count, start, result in results:
        torch.testing.assert_close(result, network(inputs[start : start + count]))


def test_each_size_is_recorded_once(network: torch.nn.Module, inputs: torch.Tensor):
    """Batches of 3 and 4 share a recording; beyond the limit the network runs directly."""
    recorder = FakeRecorder()
    graphed = GraphedNetwork(network, 8, recorder)
    for count in (3, 4, 1, 3, 20):
        torch.testing.assert_close(graphed(inputs[:count]), network(inputs[:count]))
    assert recorder.sizes == [4, 1]
    assert recorder.replays == 4


def test_recordings_are_bounded(inputs: torch.Tensor):
    """Inputs of ever new shapes do not fill the memory with recordings."""
    recorder = FakeRecorder()
    graphed = GraphedNetwork(lambda rows: rows * 2, 8, recorder, max_recordings=2)
    for width in (2, 3, 4, 5):
        torch.testing.assert_close(graphed(inputs[:3, :width]), inputs[:3, :width] * 2)
    assert len(recorder.sizes) == 2


def test_a_network_that_cannot_be_recorded_still_runs(
    network: torch.nn.Module, inputs: torch.Tensor, caplog: pytest.LogCaptureFixture
):
    """A failed recording costs speed, never an answer; it is tried once and logged."""
    tried = []

    def record(_network: Network, pixels: torch.Tensor) -> Recording:
        tried.append(len(pixels))
        raise RuntimeError("operation not permitted when stream is capturing")

    graphed = GraphedNetwork(network, 8, record)
    with caplog.at_level(logging.WARNING):
        for count in (3, 1):
            torch.testing.assert_close(graphed(inputs[:count]), network(inputs[:count]))
    assert tried == [4]
    assert "running without graphs" in caplog.text


def test_all_sizes_are_recorded_at_the_start_largest_first(network: torch.nn.Module, inputs: torch.Tensor):
    """After the start no batch waits for a recording, and the small ones reuse the memory of the largest."""
    recorder = FakeRecorder()
    graphed = GraphedNetwork(network, 8, recorder)
    graphed.record_all(inputs[:1])
    for count in range(1, 9):
        torch.testing.assert_close(graphed(inputs[:count]), network(inputs[:count]))
    assert recorder.sizes == [8, 4, 2, 1]
    assert recorder.replays == 8


def test_a_size_that_does_not_fit_at_the_start_is_left_out(network: torch.nn.Module, inputs: torch.Tensor):
    """A start succeeds with the sizes that fit; batches of the others are reported as too large when they come."""
    recorder = FakeRecorder()

    def record(network: Network, pixels: torch.Tensor) -> Recording:
        if len(pixels) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return recorder(network, pixels)

    graphed = GraphedNetwork(network, 8, record)
    graphed.record_all(inputs[:1])
    assert recorder.sizes == [2, 1]
    with pytest.raises(torch.OutOfMemoryError):
        graphed(inputs[:8])


def test_without_a_compiler_the_network_itself_is_recorded(
    network: torch.nn.Module, inputs: torch.Tensor, caplog: pytest.LogCaptureFixture
):
    """A compiled form that cannot be built costs that speed alone: graphs of the network as it is are used."""

    def compiled(_pixels: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("InvalidCxxCompiler: no working C++ compiler found")

    recorder = FakeRecorder()
    graphed = GraphedNetwork(network, 8, recorder, faster=compiled)
    with caplog.at_level(logging.WARNING):
        for count in (3, 1):
            torch.testing.assert_close(graphed(inputs[:count]), network(inputs[:count]))
    assert recorder.replays == 2
    assert caplog.text.count("recording the network as it is") == 1


def test_what_a_recording_reads_stays_alive(inputs: torch.Tensor):
    """A tensor that a network finds in a cache is held by its recording; a replay would read freed memory."""
    cache = [torch.arange(16.0)]
    weight = torch.eye(16)

    def network(rows: torch.Tensor) -> torch.Tensor:
        halves = (rows + cache[0][:16]) @ weight
        return halves.sum(dim=1)

    reads = {tensor.untyped_storage().data_ptr() for tensor in tensors_read(network, inputs)}

    assert reads == {tensor.untyped_storage().data_ptr() for tensor in (inputs, cache[0], weight)}


def test_memory_that_runs_out_while_recording_is_not_hidden(network: torch.nn.Module, inputs: torch.Tensor):
    """Whoever bounds the batches must hear of it, to halve them."""

    def record(_network: Network, _pixels: torch.Tensor) -> Recording:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        GraphedNetwork(network, 8, record)(inputs[:3])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device: recorded graphs cannot be tried")
def test_a_recording_computes_what_the_network_does(network: torch.nn.Module, inputs: torch.Tensor):
    """On a GPU every batch size gives the network's own rows, before and after other sizes have run."""
    network, inputs = network.cuda(), inputs.cuda()
    graphed = GraphedNetwork(network, 8, CudaRecorder())
    with torch.inference_mode():
        for count in (3, 1, 8, 5, 3, 20):
            torch.testing.assert_close(graphed(inputs[:count]), network(inputs[:count]))
