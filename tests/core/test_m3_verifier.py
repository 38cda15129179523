"""The door to verification, as the README shows it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fakes.images import draw_place, see_again
from PIL import Image

from core.errors import BackendUnavailable, InvalidImage, InvalidRequest, UnknownBackend
from core.m3_verifier import LocalM3Verifier
from core.verifiers.geometric import GeometricVerifier
from core.verifiers.qwen.qwen3_vl import Qwen3VLVerifier


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    """Torch's spinning barriers cost twenty times the work where the cores are shared."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def model(qwen_folders: dict[str, Path]) -> Path:
    """A tiny Qwen3-VL."""
    return qwen_folders["qwen3_vl"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A place, the same place seen again, and another place, as files."""
    folder = tmp_path_factory.mktemp("photos")
    place = draw_place(1)
    pictures = {"query.jpg": place, "again.png": see_again(place, 2).image, "other.webp": draw_place(3)}
    for name, picture in pictures.items():
        picture.save(folder / name)
    return [folder / name for name in pictures]


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is there, and with it another default")
def test_it_works_without_gpu_and_model(photos: list[Path]):
    """Out of the box, on a laptop, two views of a place match and two places do not."""
    query, again, other = photos
    verifier = LocalM3Verifier(prompt_style="simple")
    assert isinstance(verifier.backend, GeometricVerifier)

    is_match, response, confidence = verifier.verify_pair(str(query), again)
    assert (is_match, type(response)) == (True, str)
    assert confidence > 0.5

    is_match, _, confidence = verifier.verify_pair(query, other)
    assert not is_match
    assert confidence < 0.5


@pytest.mark.parametrize("style", ["simple", "scenic_guide", "strict", "chinese"])
def test_a_named_model_is_used(model: Path, photos: list[Path], style: str):
    """A model given by folder is asked, in the style chosen, and answers with the style's words."""
    verifier = LocalM3Verifier(prompt_style=style, model=str(model), device="cpu")
    assert isinstance(verifier.backend, Qwen3VLVerifier)
    is_match, response, confidence = verifier.verify_pair(photos[0], photos[1])
    assert 0 <= confidence <= 1
    assert response in {"yes", "no", "是", "否"}
    assert is_match == (confidence >= (0.85 if style == "strict" else 0.5))


def test_files_and_pictures_are_the_same(model: Path, photos: list[Path]):
    """A picture already opened is judged as its file is, a turned one as it stands upright."""
    verifier = LocalM3Verifier(model=str(model), device="cpu")
    query, again, other = photos
    expected = verifier.verify(query, [again, other])
    turned = Image.open(query).transpose(Image.Transpose.ROTATE_90)
    turned.getexif()[0x0112] = 6
    verdicts = verifier.verify(turned, [Image.open(again), Image.open(other)])
    assert [v.confidence for v in verdicts] == pytest.approx([v.confidence for v in expected], abs=1e-4)


def test_several_candidates_are_judged_in_order(model: Path, photos: list[Path]):
    """Judged together, candidates get the verdicts they get one by one."""
    verifier = LocalM3Verifier(model=str(model), device="cpu")
    together = [verdict.confidence for verdict in verifier.verify(photos[0], photos)]
    alone = [verifier.verify_pair(photos[0], photo)[2] for photo in photos]
    np.testing.assert_allclose(together, alone, atol=1e-4)
    assert verifier.verify(photos[0], []) == []


def test_styles_of_ones_own(model: Path, photos: list[Path], tmp_path: Path):
    """A style from a file is chosen like a built-in one."""
    file = tmp_path / "styles.toml"
    file.write_text('[lenient]\nthreshold = 0.0\ncue = "Same? yes or no."\n')
    verifier = LocalM3Verifier("lenient", model=str(model), device="cpu", styles_file=file)
    assert verifier.prompt_style == "lenient"
    assert verifier.verify_pair(photos[0], photos[2])[0]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"prompt_style": "poetic"}, InvalidRequest, "known: simple, scenic_guide, strict, chinese, detailed"),
        ({"prompt_style": "poetic", "verifier": "geometric"}, InvalidRequest, "unknown prompt style: 'poetic'"),
        ({"verifier": "oracle"}, UnknownBackend, "known: cascade, geometric, openai-compatible, qwen3-vl"),
        ({"verifier": "geometric", "model": "x"}, InvalidRequest, "'geometric' takes no model, and 'x' was given"),
        ({"verifier": "geometric", "colour": 1}, InvalidRequest, "'colour'; it takes: device, threads"),
        ({"verifier": "openai-compatible", "model": "x"}, InvalidRequest, "missing a required argument: 'url'"),
        ({"model": "./nowhere"}, BackendUnavailable, "Three solutions"),
        ({"device": "tpu"}, InvalidRequest, "unknown device: 'tpu'"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], error: type[Exception], message: str):
    """Unknown styles, backends, models, devices and options each have their own error, with what is accepted."""
    with pytest.raises(error, match=message):
        LocalM3Verifier(**options)


def test_bad_files_are_refused(photos: list[Path], tmp_path: Path):
    """A file that is missing or no photo is refused by name, before any model runs."""
    verifier = LocalM3Verifier(verifier="geometric")
    (tmp_path / "note.jpg").write_text("not a photo")
    for bad, message in ((tmp_path / "nowhere.jpg", "nowhere.jpg"), (tmp_path / "note.jpg", "not an accepted photo")):
        with pytest.raises(InvalidImage, match=message):
            verifier.verify_pair(photos[0], bad)
