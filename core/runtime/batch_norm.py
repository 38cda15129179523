"""Batch normalisation done by the convolution before it: the same numbers, but for rounding, in less time."""

from itertools import pairwise

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fold_sequences(network: nn.Module) -> None:
    """Fold every normalisation that follows a convolution in a ``Sequential``; the network is in evaluation mode."""
    for block in network.modules():
        if isinstance(block, nn.Sequential):
            for place, (convolution, normalisation) in enumerate(pairwise(list(block))):
                if isinstance(convolution, nn.Conv2d) and isinstance(normalisation, nn.BatchNorm2d):
                    block[place] = fuse_conv_bn_eval(convolution, normalisation)
                    block[place + 1] = nn.Identity()
