"""Photos as a Qwen-VL takes them, held to the official image processor."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from fakes.images import draw_place
from PIL import Image
from transformers import Qwen2VLImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

from core.errors import BackendUnavailable, InvalidImage
from core.verifiers.qwen.visual_tokens import MIN_TOKENS, PatchCutter, find_resize_rule
from scripts.tiny_models.qwen_vl import GENERATIONS

CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=GENERATIONS)
def folder(request: pytest.FixtureRequest, qwen_folders: dict[str, Path]) -> Path:
    """Each generation's folder in turn."""
    return qwen_folders[request.param]


@pytest.mark.parametrize("budget", [16, 64, 256])
def test_patches_equal_the_official_ones(folder: Path, images: list[Image.Image], budget: int):
    """Resizing, normalising and cutting give what the model's own image processor gives."""
    processor = Qwen2VLImageProcessorPil.from_pretrained(folder)
    cutter = PatchCutter.of(folder)
    side = cutter.token_side
    size = {"shortest_edge": min(MIN_TOKENS, budget) * side**2, "longest_edge": budget * side**2}
    for image in images:
        official = processor(images=[image], size=size, return_tensors="pt")
        photo = cutter.fit(image, budget)
        assert photo.grid == tuple(official["image_grid_thw"][0].tolist())
        # In units of a standard deviation; a grey level is some 0.015 of it.
        np.testing.assert_allclose(cutter.cut(photo, CPU), official["pixel_values"], atol=1e-6)
        assert cutter.token_count(photo) * 4 == len(official["pixel_values"])


def test_a_budget_bounds_the_tokens(folder: Path):
    """A 12 MP photo costs no more than the budget, and most of it."""
    cutter = PatchCutter.of(folder)
    photo = Image.new("RGB", (4000, 3000))
    for budget in (32, 256, 1024):
        assert 0.7 * budget <= cutter.token_count(cutter.fit(photo, budget)) <= budget


@pytest.mark.parametrize("shape", [(3000, 20), (20, 3000), (1, 1), (1, 150)])
def test_odd_shapes_survive(folder: Path, shape: tuple[int, int]):
    """Strips and specks become at least one token."""
    cutter = PatchCutter.of(folder)
    photo = cutter.fit(Image.new("RGB", shape), 64)
    assert cutter.token_count(photo) >= 1
    assert torch.isfinite(cutter.cut(photo, CPU)).all()


def test_a_line_is_refused(folder: Path):
    """A photo more than 200 times as long as wide is no photo."""
    with pytest.raises(InvalidImage, match="the photo is 5000 x 2 pixels; accepted: sides of at most 1:200"):
        PatchCutter.of(folder).fit(Image.new("RGB", (5000, 2)), 64)


def test_the_resize_rule_is_qwens():
    """Whichever copy of the rule is at hand, it gives the same sizes."""
    rule = find_resize_rule()
    sizes = np.random.default_rng(0).integers(30, 4000, (200, 2)).tolist()
    for height, width in sizes:
        budgets = {"factor": 32, "min_pixels": 64 * 1024, "max_pixels": 256 * 1024}
        assert rule(height, width, **budgets) == smart_resize(height, width, **budgets)


def test_pictures_of_any_mode_are_shown_in_colour(folder: Path):
    """A grey picture is shown as the same picture in RGB."""
    cutter = PatchCutter.of(folder)
    grey = draw_place(1).convert("L")
    torch.testing.assert_close(cutter.fit(grey, 64).pixels, cutter.fit(grey.convert("RGB"), 64).pixels)


@pytest.mark.parametrize("change", [{"patch_size": None}, {"image_mean": "grey"}])
def test_garbled_settings_are_refused(folder: Path, tmp_path: Path, change: dict[str, object]):
    """A preprocessor_config.json that says nothing useful is refused by file."""
    shutil.copy(folder / "preprocessor_config.json", tmp_path)
    file = tmp_path / "preprocessor_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(BackendUnavailable, match=r"preprocessor_config\.json or processor_config\.json in"):
        PatchCutter.of(tmp_path)
