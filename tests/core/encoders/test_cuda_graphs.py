import pytest
import torch

from core.encoders.cuda_graphs import GraphedNetwork, padded_sizes


@pytest.mark.parametrize(
    ("max_batch", "sizes"),
    [(1, [1]), (2, [1, 2]), (8, [1, 2, 4, 8]), (12, [1, 2, 4, 8, 12]), (32, [1, 2, 4, 8, 16, 32])],
)
def test_few_sizes_cover_every_batch(max_batch: int, sizes: list[int]):
    """Batches are padded to at most twice their size, never beyond the limit."""
    assert padded_sizes(max_batch) == sizes


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device: recorded graphs cannot be tried")
def test_a_recording_computes_what_the_network_does():
    """Every batch size gives the network's own rows, before and after other sizes have run."""
    network = torch.nn.Sequential(torch.nn.Linear(16, 32), torch.nn.GELU(), torch.nn.Linear(32, 4)).cuda().eval()
    graphed = GraphedNetwork(network, max_batch=8)
    inputs = torch.randn(20, 16, device="cuda")
    with torch.inference_mode():
        for count in (3, 1, 8, 5, 3, 20):
            torch.testing.assert_close(graphed(inputs[:count]), network(inputs[:count]))
