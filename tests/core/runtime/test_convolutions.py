"""Convolutions made for the CPU give what PyTorch's layers give."""

import pytest
import torch
from torch import nn

from core.runtime.convolutions import PackedConvolution, fold_sequences, pack, pack_sequences

LAYERS = [
    {"in_channels": 3, "out_channels": 16, "kernel_size": 3, "padding": 1},
    {"in_channels": 16, "out_channels": 24, "kernel_size": 1, "bias": False},
    {"in_channels": 32, "out_channels": 32, "kernel_size": 4, "stride": 2, "padding": 1, "groups": 32},
    {"in_channels": 8, "out_channels": 4, "kernel_size": (3, 5), "padding": (1, 2), "dilation": (2, 1)},
]


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("activation", [nn.Identity(), nn.ReLU(), nn.ReLU6()])
@pytest.mark.parametrize(
    ("number_format", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)], ids=["float32", "bfloat16"]
)
def test_a_packed_convolution_is_the_layers_own(layer, activation, number_format, tolerance):
    """For pictures of any size, in either order in memory, and of another number format than it computes in."""
    convolution = nn.Conv2d(**layer)
    packed = pack(convolution, activation, number_format)

    for size in [(7, 9), (64, 48), (5, 200)]:
        features = 3 * torch.randn(1, layer["in_channels"], *size)
        for ordered in (features, features.contiguous(memory_format=torch.channels_last)):
            with torch.inference_mode():
                found, expected = packed(ordered), activation(convolution(features))
            assert found.dtype is number_format
            assert found.shape == expected.shape
            assert (found.float() - expected).abs().max() <= tolerance * max(1.0, float(expected.abs().max()))
    assert isinstance(packed, PackedConvolution)


@pytest.mark.parametrize("is_there", [True, False])
def test_a_sequence_stays_what_it_was(monkeypatch, is_there):
    """Normalisations go, activations go along, what no convolution is behind stays; without oneDNN, all of it too."""
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: is_there)
    network = nn.Sequential(
        nn.AvgPool2d(2),
        nn.Sequential(nn.Conv2d(4, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 1), nn.Sigmoid()),
        nn.ReLU(),
        nn.Conv2d(8, 2, 1),
    ).eval()
    network[1][1].running_mean.uniform_(-1, 1)
    network[1][1].running_var.uniform_(0.5, 2)
    features = torch.randn(1, 4, 20, 30)
    with torch.inference_mode():
        expected = network(features)

    fold_sequences(network)
    pack_sequences(network, torch.float32)

    with torch.inference_mode():
        assert torch.allclose(network(features), expected, atol=1e-5)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in network.modules())
    assert any(isinstance(layer, PackedConvolution) for layer in network.modules()) is is_there
    assert [len(network), len(network[1])] == [4, 3]
