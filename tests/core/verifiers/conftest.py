from collections.abc import Callable
from hashlib import sha256

import pytest
import torch
from fakes.images import draw_place
from PIL import Image

from core.results import Photo

# Landscape, portrait, panorama, strip, tiny: no two alike in shape.
SHAPES = [(320, 240), (240, 320), (500, 150), (130, 480), (256, 256), (640, 300), (60, 50), (310, 350)]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Torch's spinning barriers cost twenty times the work where the cores are shared."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def images() -> list[Image.Image]:
    """Eight places in eight shapes."""
    return [draw_place(seed, shape) for seed, shape in enumerate(SHAPES)]


@pytest.fixture
def as_photo() -> Callable[[Image.Image], Photo]:
    """From a picture to a photo that is recognised when it comes again."""
    return lambda image: Photo(lambda: image, content_hash=sha256(image.tobytes()).hexdigest())
