"""What a local Qwen-VL is about to say, where that is neither yes nor no."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from core.errors import NoVerdict
from core.results import Photo
from core.verifiers.qwen.qwen3_vl import Qwen3VLVerifier


@pytest.mark.parametrize("count", [1, 2])
def test_what_is_neither_yes_nor_no_is_no_verdict(
    count: int,
    qwen_folders: dict[str, Path],
    images: list[Image.Image],
    as_photo: Callable[[Image.Image], Photo],
    tmp_path: Path,
):
    """A model that would answer with other words than the style's gives no verdict, and never a confidence."""
    # It is asked in English, answers in English, and is listened to in Chinese.
    styles_file = tmp_path / "styles.toml"
    styles_file.write_text('[other]\nyes = ["是"]\nno = ["否"]\n', encoding="utf-8")
    verifier = Qwen3VLVerifier(
        str(qwen_folders["qwen3_vl"]), device="cpu", query_tokens=40, candidate_tokens=32, styles_file=styles_file
    )
    query, *candidates = map(as_photo, images[: count + 1])

    assert len(verifier.verify(query, candidates)) == count
    with pytest.raises(NoVerdict, match="yes and no together have a probability of 0"):
        verifier.verify(query, candidates, prompt_style="other")
