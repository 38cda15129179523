"""What is done before the first visitor."""

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLTextModel, Qwen3VLVisionModel

from core.results import Photo
from core.verifiers.prompting.styles import load_styles
from core.verifiers.qwen.qwen3_vl import Qwen3VLVerifier


@pytest.fixture
def verifier(qwen_folders: dict[str, Path]) -> Qwen3VLVerifier:
    """A tiny Qwen3-VL that has verified nothing yet."""
    return Qwen3VLVerifier(str(qwen_folders["qwen3_vl"]), device="cpu", query_tokens=32, candidate_tokens=32)


def test_the_first_visitor_of_any_style_takes_one_pass(
    verifier: Qwen3VLVerifier, images: list[Image.Image], monkeypatch: pytest.MonkeyPatch
):
    """After the warm-up, no style's instructions are computed for a visitor any more."""
    verifier.warm_up()
    query, *candidates = [Photo(lambda image=image: image) for image in images[:6]]
    passes: list[int] = []
    forward = Qwen3VLTextModel.forward

    def counted(self: Any, *arguments: Any, **inputs: Any) -> Any:
        passes.append(1)
        return forward(self, *arguments, **inputs)

    monkeypatch.setattr(Qwen3VLTextModel, "forward", counted)
    monkeypatch.setattr("core.verifiers.prompting.replies.LEAST_MASS", 0.0)
    for style in load_styles().values():
        if style.reasons_first:
            continue  # generates, token by token
        passes.clear()
        verifier.verify(query, candidates, prompt_style=style.name)
        assert len(passes) == 1, style.name


def test_five_candidates_in_the_usual_shapes_are_verified(verifier: Qwen3VLVerifier, monkeypatch: pytest.MonkeyPatch):
    """Landscape, portrait, wide, tall and square photos have been through the tower, as query and as candidates."""
    shapes: list[list[tuple[int, ...]]] = []
    forward = Qwen3VLVisionModel.forward

    def counted(self: Any, pixels: torch.Tensor, **inputs: Any) -> Any:
        shapes.append([tuple(grid) for grid in inputs["grid_thw"].tolist()])
        return forward(self, pixels, **inputs)

    monkeypatch.setattr(Qwen3VLVisionModel, "forward", counted)

    verifier.warm_up()

    usual = {query for query, *_ in shapes}
    assert len(usual) == 5
    assert all(set(candidates) == usual for _, *candidates in shapes)
    assert len(shapes) >= len(usual) + len(load_styles()) - 1


def test_nothing_is_remembered_of_its_photos(verifier: Qwen3VLVerifier):
    """The cache is the gallery's."""
    verifier.warm_up()

    assert verifier.tower.cache.byte_size == 0
