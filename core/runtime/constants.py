"""Constants on devices: every copy from the host to a GPU costs a launch, however small it is."""

from functools import lru_cache

import torch


@lru_cache(maxsize=64)
def channels_on(device: torch.device, values: tuple[float, ...]) -> torch.Tensor:
    """Return one number per colour channel, copied to the device once: float32 [C, 1, 1]."""
    return torch.tensor(values, device=device).view(-1, 1, 1)
