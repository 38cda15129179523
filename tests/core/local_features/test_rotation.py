import numpy as np
import pytest
from PIL import Image

from core.local_features.rotation import to_turned, to_upright, turn


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_points_return_to_where_they_were(rotation):
    """A bright pixel found in the turned photo lies, taken back, where it was in the upright one."""
    upright = np.zeros((30, 50), np.uint8)
    upright[7, 41] = 255
    photo = Image.fromarray(upright)
    turned = np.asarray(turn(photo, rotation))
    row, column = np.argwhere(turned == 255)[0]
    found = np.array([[(column + 0.5) / turned.shape[1], (row + 0.5) / turned.shape[0]]], np.float32)

    np.testing.assert_allclose(to_upright(found, rotation), [[41.5 / 50, 7.5 / 30]], rtol=1e-6)
    np.testing.assert_allclose(to_turned(np.array([[41.5 / 50, 7.5 / 30]], np.float32), rotation), found, rtol=1e-5)
