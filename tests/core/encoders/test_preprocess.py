import importlib.util
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from fakes.images import draw_place, encode
from PIL import Image
from torch.utils._python_dispatch import TorchDispatchMode

from core.encoders.preprocess import preprocessing_of
from core.errors import BackendUnavailable, InvalidRequest
from core.imaging.decoding import LONGEST_SIDE, decode_image

CPU = torch.device("cpu")
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
DINOV3 = {"image_processor_type": "DINOv3ViTImageProcessorFast", "resample": 2, "size": {"height": 224, "width": 224}}
DINOV3 |= IMAGENET
BIT = {
    "do_center_crop": True,
    "resample": 3,
    "size": {"shortest_edge": 256},
    "crop_size": {"height": 224, "width": 224},
}
BIT |= IMAGENET
DINOV2 = {"image_processor_type": "BitImageProcessor", **BIT}

PHOTOS = [draw_place(seed, size) for seed, size in enumerate([(512, 512), (600, 400), (301, 451), (97, 311)])]

ONE_GREY_LEVEL = 1.01 / 255 / 0.224  # in normalised units


def literal_dinov3(image: Image.Image, side: int) -> torch.Tensor:
    """DINOv3's formula written out in float64: scale, triangle filter widened by the reduction, normalise."""

    def weights(source: int) -> np.ndarray:
        scale = source / side
        support = max(scale, 1.0)
        centers = (np.arange(side) + 0.5) * scale
        distance = np.abs(np.arange(source) + 0.5 - centers[:, None]) / support
        triangle = np.clip(1 - distance, 0, None)
        return triangle / triangle.sum(axis=1, keepdims=True)

    pixels = np.asarray(image, dtype=np.float64) / 255
    rows, columns = weights(image.height), weights(image.width)
    resized = np.einsum("yh,hwc,xw->cyx", rows, pixels, columns, optimize=True)
    mean, std = (np.array(IMAGENET[key]).reshape(3, 1, 1) for key in ("image_mean", "image_std"))
    return torch.from_numpy((resized - mean) / std)


@pytest.mark.parametrize("side", [224, 448])
@pytest.mark.parametrize("photo", PHOTOS)
def test_dinov3_equals_the_formula(photo: Image.Image, side: int):
    """DINOv3's preprocessing is the published formula to a hundredth of a grey level, float32's rounding of it."""
    ours = preprocessing_of(DINOV3, patch=16, input_size=side).to_tensor(photo, CPU)
    torch.testing.assert_close(ours.double(), literal_dinov3(photo, side), atol=2e-4, rtol=0)


@pytest.mark.skipif(
    importlib.util.find_spec("torchvision") is None,
    reason="torchvision is not installed: DINOv3's official processor cannot be compared with (the formula above is)",
)
@pytest.mark.parametrize("side", [224, 448])
@pytest.mark.parametrize("photo", PHOTOS)
def test_dinov3_equals_the_official_processor(photo: Image.Image, side: int):
    """DINOv3's preprocessing is that of transformers' torchvision-only processor."""
    from transformers.models.dinov3_vit.image_processing_dinov3_vit import DINOv3ViTImageProcessor

    official = DINOv3ViTImageProcessor(size={"height": side, "width": side})(photo, return_tensors="pt")
    ours = preprocessing_of(DINOV3, patch=16, input_size=side).to_tensor(photo, CPU)
    torch.testing.assert_close(ours, official["pixel_values"][0], atol=1.5e-6, rtol=0)


@pytest.mark.parametrize("photo", PHOTOS)
def test_dinov2_equals_the_official_processor(photo: Image.Image):
    """DINOv2's preprocessing is that of transformers' processor, to one grey level in few pixels."""
    from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil

    official = torch.as_tensor(BitImageProcessorPil(**BIT)(photo, return_tensors="pt")["pixel_values"][0])
    difference = (preprocessing_of(DINOV2, patch=14).to_tensor(photo, CPU) - official).abs()
    assert difference.max() <= ONE_GREY_LEVEL
    assert (difference > 1e-5).float().mean() < 0.05


@pytest.mark.parametrize("processor", [DINOV3, DINOV2])
@pytest.mark.parametrize("size", [(2400, 1800), (1350, 2400), (2000, 2000)])
def test_a_photo_is_decoded_no_larger_than_it_is_used(processor: Mapping[str, Any], size: tuple[int, int]):
    """What the network gets is the same within three grey levels on average, and all galleries stay valid."""
    preprocessing = preprocessing_of(processor, patch=14)
    data = encode(draw_place(9, size))

    reduced, large = (
        preprocessing.to_tensor(decode_image(data, max_side=side).image, CPU)
        for side in (preprocessing.photo_side, LONGEST_SIDE)
    )

    assert preprocessing.photo_side == 768
    assert (reduced - large).abs().mean() < 3 * ONE_GREY_LEVEL


def test_a_photo_is_one_copy_to_the_device():
    """Its bytes: the colour statistics lie on the device already."""

    class Copies(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = func(*args, **(kwargs or {}))
            arrives = isinstance(result, torch.Tensor) and result.is_meta
            counted.append(arrives and not any(isinstance(a, torch.Tensor) and a.is_meta for a in args))
            return result

    preprocessing = preprocessing_of(DINOV3, patch=16)
    device = torch.device("meta")
    preprocessing.to_tensor(PHOTOS[0], device)
    counted: list[bool] = []
    with Copies():
        preprocessing.to_tensor(PHOTOS[1], device)

    assert sum(counted) == 1


def test_larger_inputs_need_larger_photos():
    """The side follows the input size, up to what is decoded of any photo."""
    sides = [preprocessing_of(DINOV3, patch=16, input_size=size).photo_side for size in (224, 320, 448, 896)]

    assert sides == [768, 960, 1280, 1280]


def test_the_models_own_choices_are_read():
    """Size, aspect policy, filter and colours come from the model's processor file."""
    satellite = DINOV3 | {"image_mean": [0.430, 0.411, 0.296], "image_std": [0.213, 0.156, 0.143]}
    assert str(preprocessing_of(DINOV3, patch=16)) == "squash 224 bilinear floats imagenet"
    assert str(preprocessing_of(DINOV2, patch=14)) == "crop/1.143 224 bicubic bytes imagenet"
    assert "0.43" in str(preprocessing_of(satellite, patch=16))
    assert str(preprocessing_of({}, patch=16)) == str(preprocessing_of(DINOV3, patch=16))


def test_every_choice_shows_in_the_fingerprint_text():
    """Two preprocessings that give different vectors have different texts."""
    texts = {
        str(preprocessing_of(processor, patch=patch, input_size=size, aspect=aspect))
        for processor, patch in ((DINOV3, 16), (DINOV2, 14))
        for size in (224, 448)
        for aspect in ("squash", "crop", "pad")
    }
    assert len(texts) == 12


@pytest.mark.parametrize(
    ("aspect", "size", "expected"),
    [
        ("squash", (640, 480), (224, 224)),
        ("crop", (640, 480), (224, 224)),
        ("crop", (12, 1280), (224, 224)),
        ("pad", (640, 480), (176, 224)),
        ("pad", (480, 640), (224, 176)),
        ("pad", (1280, 3), (16, 224)),
        ("pad", (3, 3), (224, 224)),
    ],
)
def test_output_size_is_what_comes_out(aspect: str, size: tuple[int, int], expected: tuple[int, int]):
    """The announced shape is the tensor's, so photos can be grouped before they are decoded into tensors."""
    preprocessing = preprocessing_of(DINOV3, patch=16, aspect=aspect)
    assert preprocessing.output_size(*size) == expected
    assert preprocessing.to_tensor(Image.new("RGB", size), CPU).shape == (3, *expected)


def test_padding_is_the_mean_colour_and_less_than_a_patch():
    """`pad` keeps the aspect: below the photo lies the mean colour, nowhere a whole patch of it."""
    pixels = preprocessing_of(DINOV3, patch=16, aspect="pad").to_tensor(Image.new("RGB", (640, 471), "white"), CPU)
    assert pixels.shape == (3, 176, 224)
    assert (pixels[:, :165] > 1).all()
    assert (pixels[:, 165:] == 0).all()


def test_crop_keeps_the_centre():
    """`crop` drops the ends of a long photo and nothing of its middle."""
    photo = Image.new("RGB", (900, 300), "red")
    photo.paste("green", (300, 0, 600, 300))
    pixels = preprocessing_of(DINOV3, patch=16, aspect="crop").to_tensor(photo, CPU)
    assert (pixels[1] > pixels[0]).all()


@pytest.mark.parametrize(
    ("processor", "options", "error", "says"),
    [
        (DINOV3, {"input_size": 225}, InvalidRequest, "try 224 or 240"),
        (DINOV3, {"input_size": 0}, InvalidRequest, "try 16"),
        (DINOV3, {"aspect": "stretch"}, InvalidRequest, "squash, crop, pad"),
        (DINOV3 | {"resample": 1}, {}, BackendUnavailable, "filter 1"),
    ],
)
def test_what_cannot_be_done_is_refused(
    processor: Mapping[str, Any], options: dict[str, Any], error: type[Exception], says: str
):
    """A wrong size, policy or filter is refused in words that say what would be accepted."""
    with pytest.raises(error, match=says):
        preprocessing_of(processor, patch=16, **options)
