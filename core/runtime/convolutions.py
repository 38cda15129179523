"""Convolutions as a CPU runs them best: the same numbers, but for rounding, in less time.

The normalisation before an activation is done by the convolution's weights, the activation in the same pass, and the
weights lie as oneDNN reads them, instead of being brought into that order for every photo. TorchInductor compiles
frozen networks to the same calls; they are made here without its compiler.
"""

from typing import Any

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

_SIDE = 32

# oneDNN's names, and their numbers.
_ACTIVATIONS: dict[type[nn.Module], tuple[str, list[float]]] = {
    nn.Identity: ("none", []),
    nn.ReLU: ("relu", []),
    nn.ReLU6: ("hardtanh", [0.0, 6.0]),
}


class PackedConvolution(nn.Module):
    """A convolution and the activation after it, on the CPU."""

    def __init__(self, convolution: nn.Conv2d, activation: nn.Module, number_format: torch.dtype) -> None:
        """Copy the weights into oneDNN's order.

        Args:
            convolution: padded with zeros.
            activation: ``Identity``, ``ReLU`` or ``ReLU6``.
            number_format: to compute in; what comes in is converted, and what comes out stays in it.
        """
        super().__init__()
        self._shape = (
            [int(side) for side in convolution.padding],
            list(convolution.stride),
            list(convolution.dilation),
            convolution.groups,
        )
        weight = convolution.weight.detach().to(number_format)
        # Any size may come in. But without an example, weights are laid out for a single pixel, and read slowly.
        example = [1, convolution.in_channels, _SIDE, _SIDE]
        self._weight = torch.ops.mkldnn._reorder_convolution_weight(weight, *self._shape, example)
        self._bias = None if convolution.bias is None else convolution.bias.detach().to(number_format)
        self._activation = _ACTIVATIONS[type(activation)]
        self._number_format = number_format

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Convolve [N, C, H, W]."""
        name, numbers = self._activation
        convolved: torch.Tensor = torch.ops.mkldnn._convolution_pointwise(
            features.to(self._number_format), self._weight, self._bias, *self._shape, name, numbers, ""
        )
        return convolved


def pack(convolution: nn.Conv2d, activation: nn.Module, number_format: torch.dtype = torch.float32) -> nn.Module:
    """Join a convolution and an activation for the CPU; see ``PackedConvolution``.

    Where this PyTorch has no oneDNN, or not these calls, which it does not promise, they stay two layers.
    """
    onednn: Any = torch.backends.mkldnn  # untyped
    if not (onednn.is_available() and hasattr(torch.ops.mkldnn, "_convolution_pointwise")):
        return nn.Sequential(convolution.to(number_format), activation)
    return PackedConvolution(convolution, activation, number_format)


def fold_sequences(network: nn.Module) -> None:
    """Fold every normalisation that follows a convolution in a ``Sequential``; the network is in evaluation mode."""
    for block in _sequences(network):
        for place in reversed(range(len(block) - 1)):
            convolution, follows = block[place], block[place + 1]
            if isinstance(convolution, nn.Conv2d) and isinstance(follows, nn.BatchNorm2d):
                block[place] = fuse_conv_bn_eval(convolution, follows)
                del block[place + 1]


def pack_sequences(network: nn.Module, number_format: torch.dtype) -> None:
    """Pack every convolution in a ``Sequential``, with the ``ReLU`` that may follow it."""
    for block in _sequences(network):
        for place in reversed(range(len(block))):
            convolution, follows = block[place], block[place + 1] if place + 1 < len(block) else None
            if not isinstance(convolution, nn.Conv2d):
                continue
            if isinstance(follows, nn.ReLU):
                block[place] = pack(convolution, follows, number_format)
                del block[place + 1]
            else:
                block[place] = pack(convolution, nn.Identity(), number_format)


def _sequences(network: nn.Module) -> list[nn.Sequential]:
    return [block for block in network.modules() if isinstance(block, nn.Sequential)]
