"""Local features on a device. No test has a GPU; what a GPU needs of the code can be seen without one."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as functional
from fakes.images import draw_place, see_again
from PIL import Image

from core.errors import BackendUnavailable, InvalidRequest, OutOfMemory
from core.local_features.aliked import AlikedExtractor, AlikedMatcher
from core.local_features.lighterglue import LighterGlue
from core.local_features.xfeat import XFeatExtractor
from core.results import EncoderFingerprint, Photo
from core.retrieval.second_features import open_second_extractor
from core.runtime.devices import DeviceChoice, choose_device
from core.verifiers.cascade import CascadeVerifier
from core.verifiers.geometric import GeometricVerifier

CPU, ELSEWHERE = torch.device("cpu"), torch.device("meta")


@pytest.mark.parametrize(("extractor", "matcher"), [(XFeatExtractor, LighterGlue), (AlikedExtractor, AlikedMatcher)])
def test_every_tensor_is_made_on_the_networks_device(extractor: Callable[..., Any], matcher: Callable[..., Any]):
    """With a device named, the results are those of today; a tensor without it would now be made elsewhere and fail."""
    place = draw_place(4)
    photos = place, see_again(place, 2).image
    usual = [extractor().extract(photo).views[0] for photo in photos]
    pairs, scores = matcher().match(*usual)
    on_device, match = extractor(CPU), matcher(CPU)

    with ELSEWHERE:
        views = [on_device.extract(photo).views[0] for photo in photos]
        matched, weighed = match.match(*views)

    for view, expected in zip(views, usual, strict=True):
        np.testing.assert_array_equal(view.keypoints, expected.keypoints)
        np.testing.assert_array_equal(view.descriptors, expected.descriptors)
        np.testing.assert_array_equal(view.scores, expected.scores)
    np.testing.assert_array_equal(matched, pairs)
    np.testing.assert_array_equal(weighed, scores)
    assert len(pairs) > 100


def test_networks_go_to_the_device_that_is_asked_for():
    """All weights and buffers, and the photos too."""
    for made in (XFeatExtractor(ELSEWHERE), LighterGlue(ELSEWHERE), AlikedExtractor(ELSEWHERE)):
        assert _devices(made) == {ELSEWHERE}


def _devices(made: Any) -> set[torch.device]:
    network = made._network
    return {tensor.device for tensor in (*network.parameters(), *network.buffers())}


def test_a_gpu_matches_in_float32():
    """Kornia's fused attention would round to float16 there, and its other way is autocast."""
    matcher = LighterGlue(ELSEWHERE)
    network = matcher._network
    attends = [layer.self_attn.inner_attn.forward.args for layer in network.transformers]
    assert not matcher._in_bfloat16
    assert attends == [(functional.scaled_dot_product_attention,)] * len(attends)


@pytest.mark.parametrize("extractor", [XFeatExtractor, AlikedExtractor])
def test_a_gpu_convolves_in_float32(monkeypatch: pytest.MonkeyPatch, extractor: Callable[..., Any]):
    """CuDNN would round to TF32, and a gallery's features come from a CPU as often as from a GPU."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    extractor()
    assert not torch.backends.cudnn.allow_tf32


def test_a_full_gpu_is_said():
    """Another process may have all memory of the card: the service is busy for a moment, and no bug is reported."""

    def fill() -> Image.Image:
        raise torch.OutOfMemoryError("CUDA out of memory")

    verifier = GeometricVerifier(device="cpu", aliked=False)
    with pytest.raises(OutOfMemory, match="choose the device cpu"):
        verifier.verify(Photo(fill), [Photo(lambda: draw_place(3))])


def test_second_features_are_made_on_the_encoders_device():
    """The retrieval's, of queries that the encoder's own leave unclear; on the CPU without an encoder's device."""
    encoder = EncoderFingerprint("embedded", "weights", "preprocessing", 4)
    assert _devices(open_second_extractor(encoder, DeviceChoice(ELSEWHERE, torch.float32, "elsewhere"))) == {ELSEWHERE}
    assert _devices(open_second_extractor(encoder, None)) == {CPU}


def test_the_verifier_takes_a_device():
    """The first one that there is; one that is not there, or no device at all, is refused."""
    place = draw_place(3)
    photos = [Photo(lambda image=image: image) for image in (see_again(place, 2).image, place)]
    chosen, named = GeometricVerifier(aliked=False), GeometricVerifier(device="cpu", aliked=False)
    assert (chosen.device, named.device.device) == (choose_device("auto", "float32"), CPU)
    verdicts = [verifier.verify(photos[0], photos[1:])[0] for verifier in (chosen, named)]
    assert verdicts[0].confidence == pytest.approx(verdicts[1].confidence, abs=1e-3)
    assert verdicts[1].confidence > 0.9
    with pytest.raises(BackendUnavailable, match="cuda:7"):
        GeometricVerifier(device="cuda:7", aliked=False)
    with pytest.raises(InvalidRequest, match="unknown device: 'gpu'"):
        GeometricVerifier(device="gpu", aliked=False)


def test_a_cascade_gives_its_device_to_both():
    """Geometry beside a language model on the second GPU runs there too."""
    with pytest.raises(BackendUnavailable, match="device cuda:7 was requested"):
        CascadeVerifier("geometric", "geometric", device="cuda:7")


def test_a_cascade_takes_a_device_beside_a_server():
    """The server has none; geometry, which runs here, has it."""
    server = {"second": "openai-compatible", "url": "http://127.0.0.1:9/v1", "model": "m"}
    with closing(CascadeVerifier(device="cpu", first_options={"aliked": False}, **server)) as cascade:
        assert cascade.device == choose_device("cpu", "float32")
