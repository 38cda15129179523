"""What is measured of a photo does not depend on the size of its preview."""

from pathlib import Path

import pytest
from fakes.images import draw_place
from PIL import Image, ImageFilter

from core.gallery_health.photo_quality import measure_photo
from core.imaging.copies import encode_preview

SHARP = draw_place(3, (1280, 960))


@pytest.mark.parametrize("photo", [SHARP, SHARP.filter(ImageFilter.GaussianBlur(8))], ids=["sharp", "blurred"])
def test_larger_previews_are_measured_alike(tmp_path: Path, photo: Image.Image):
    """A gallery with larger previews calls the same photos blurred, flat or dark."""
    measured = []
    for side in (640, 1280):
        path = tmp_path / f"{side}.jpg"
        path.write_bytes(encode_preview(photo, max_side=side))
        measured.append(measure_photo(path))
    usual, larger = measured

    assert larger.faults(1280) == usual.faults(1280)
    assert larger.blur == pytest.approx(usual.blur, abs=0.03)
    assert larger.structure == pytest.approx(usual.structure, abs=0.05)
