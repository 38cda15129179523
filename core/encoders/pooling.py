"""One vector per photo out of a ViT's tokens."""

import math
from typing import Literal

import torch

Pooling = Literal["cls", "gem", "cls+gem"]
POOLINGS: tuple[Pooling, ...] = ("cls", "gem", "cls+gem")

_GEM_POWER = 3


def pool(tokens: torch.Tensor, prefix: int, pooling: Pooling) -> torch.Tensor:
    """Pool the layer-normed tokens of N photos.

    ``cls`` says what a picture is of and is the better choice for artworks; ``gem`` says what its parts look like and
    is the better one for streets. Joined, both halves weigh the same.

    Args:
        tokens: [N, T, D]: the class token, ``prefix - 1`` registers, then one token per patch.
        prefix: number of tokens before the patches.
        pooling: which.

    Returns:
        float32 [N, D], or [N, 2 D] for ``cls+gem``; each row of L2 norm 1.
    """
    tokens = tokens.float()  # cubes of bfloat16 numbers would keep two digits
    if pooling == "cls":
        return _unit(tokens[:, 0])
    gem = _unit(generalized_mean(tokens[:, prefix:]))
    if pooling == "gem":
        return gem
    return torch.cat([_unit(tokens[:, 0]), gem], dim=-1) * math.sqrt(0.5)


def generalized_mean(patches: torch.Tensor) -> torch.Tensor:
    """Mean of cubes, then the cube root, over the patches: [N, P, D] to [N, D].

    GeM of Radenović et al. ("Fine-tuning CNN Image Retrieval with No Human Annotation", 2018). Theirs cuts negative
    activations off, which a ReLU network has none of; a ViT's tokens have both signs, so the sign is kept, as AnyLoc
    (Keetha et al., 2023) does.
    """
    mean = patches.pow(_GEM_POWER).mean(dim=1)
    return torch.copysign(mean.abs().pow(1 / _GEM_POWER), mean)


def _unit(vectors: torch.Tensor) -> torch.Tensor:
    length: torch.Tensor = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    return vectors / length.clamp_min(1e-12)
