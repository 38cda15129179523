"""Both LightGlues, in the number formats that they run in."""

from dataclasses import replace
from threading import get_ident

import numpy as np
import pytest
import torch
from fakes.images import draw_place, see_again
from PIL import Image

from core.local_features import lightglue
from core.local_features.aliked import AlikedExtractor, AlikedMatcher
from core.local_features.lighterglue import LighterGlue
from core.local_features.lightglue import LightGlueMatcher
from core.local_features.xfeat import XFeatExtractor
from core.results import FeatureView

BOTH = pytest.mark.parametrize(
    ("extractor", "matcher"), [(XFeatExtractor, LighterGlue), (AlikedExtractor, AlikedMatcher)]
)


@BOTH
def test_bfloat16_finds_what_float32_finds(monkeypatch, extractor, matcher):
    """The sum of all scores, which is the evidence, differs by at most a twentieth, and hardly a pair is another one.

    Of photos of different places, where few and weak matches are summed, it differs by at most a tenth.
    """
    place = draw_place(4)
    extract = extractor().extract
    query, same, other = (
        extract(image).views[0] for image in (see_again(place, 2).image, place, see_again(draw_place(9), 1).image)
    )
    found = []

    for is_native in (False, True):
        monkeypatch.setattr(lightglue, "multiplies_bfloat16", lambda answer=is_native: answer)
        through_all_layers = matcher()
        through_all_layers._least_score = 0.0
        match = through_all_layers.match
        found.append((match(query, same), match(query, other)))

    ((exact, exact_scores), (_, exact_others)), ((rounded, rounded_scores), (_, rounded_others)) = found
    common = set(map(tuple, exact)) & set(map(tuple, rounded))
    assert len(exact) > 100
    assert len(common) > 0.95 * max(len(exact), len(rounded))
    assert rounded_scores.sum() == pytest.approx(exact_scores.sum(), rel=0.05)
    assert rounded_others.sum() == pytest.approx(exact_others.sum(), rel=0.1, abs=0.5)


@BOTH
def test_matches_are_kornias(monkeypatch, extractor, matcher):
    """With all keypoints, the matches of so many layers and their scores are those of ``LightGlue.forward``."""
    monkeypatch.setattr(lightglue, "multiplies_bfloat16", lambda: False)
    place, extract, ours = draw_place(4), extractor().extract, matcher()
    ours._drops_keypoints = False
    query, same = (extract(image).views[0] for image in (see_again(place, 2).image, place))

    found, scores = ours.match(query, same)

    ours._network.conf.mp, ours._network.conf.n_layers = False, len(ours._network.transformers)
    with torch.inference_mode():
        theirs = ours._network({"image0": as_kornia_takes_it(query), "image1": as_kornia_takes_it(same)})
    np.testing.assert_array_equal(found, theirs["matches"][0].numpy())
    np.testing.assert_allclose(scores, theirs["scores"][0].numpy(), atol=0.001)


def counted(matcher: LightGlueMatcher) -> list[tuple[int, int]]:
    """A list that every layer adds to: the keypoints of both views that it gets."""
    layers: list[tuple[int, int]] = []
    query: list[int] = []

    def count(_: torch.nn.Module, view: tuple[torch.Tensor, ...]) -> None:
        if query:
            layers.append((query.pop(), view[0].shape[1]))
        else:
            query.append(view[0].shape[1])

    matcher._for_both = lambda work, first, second: [work(*first), work(*second)]  # in turn, the query first
    for layer in matcher._network.transformers:
        layer.self_attn.register_forward_pre_hook(count)
    return layers


def three_views(extractor: XFeatExtractor | AlikedExtractor) -> tuple[FeatureView, ...]:
    """A photo of a place, the place, and something else."""
    place, noise = draw_place(4), Image.effect_noise((640, 480), 60).convert("RGB")
    return tuple(extractor.extract(image).views[0] for image in (see_again(place, 2).image, place, noise))


@BOTH
def test_a_pair_that_hardly_matches_goes_through_two_layers_only(extractor, matcher):
    """A photo of something else leaves LightGlue early, with few and weak matches; one of the same place does not."""
    ours, (query, same, other) = matcher(), three_views(extractor())
    layers = counted(ours)

    _, weak = ours.match(query, other)
    assert len(layers) == 2
    assert weak.sum() < ours._least_score

    layers.clear()
    _, strong = ours.match(query, same)
    assert len(layers) > 2
    assert strong.sum() > 100

    layers.clear()
    ours._least_score = 0.0
    ours.match(query, other)
    assert len(layers) > 2


def test_keypoints_that_match_nothing_leave_after_two_layers():
    """What is seen in one of both photos only takes no further part; the others are matched as before."""
    place, extract, ours = draw_place(4), AlikedExtractor().extract, AlikedMatcher()
    half = place.copy()
    half.paste(draw_place(9).resize(place.size).crop((0, 0, place.width // 2, place.height)))
    query, other = (extract(image).views[0] for image in (see_again(place, 2).image, half))
    layers = counted(ours)

    found, scores = ours.match(query, other)

    whole = (len(query.keypoints), len(other.keypoints))
    assert layers[:2] == [whole, whole]
    assert max(layers[2]) < 0.9 * min(whole)
    assert set(layers[2:]) == {layers[2]}
    ours._drops_keypoints = False
    by_all, scores_by_all = ours.match(query, other)
    common = set(map(tuple, found)) & set(map(tuple, by_all))
    assert len(found) > 50
    assert len(common) > 0.9 * max(len(found), len(by_all))
    assert scores.sum() == pytest.approx(scores_by_all.sum(), rel=0.1)


@BOTH
def test_a_glance_takes_the_strongest_keypoints_through_two_layers(extractor, matcher):
    """It leaves photos of two places there; much agrees in those of one, which then go through all layers."""
    ours, (query, same, other) = matcher(), three_views(extractor())
    layers = counted(ours)

    _, weak = ours.match(query, other, glance_first=True)
    assert layers == [(512, 512)] * 2
    assert weak.sum() < 2

    layers.clear()
    _, strong = ours.match(query, same, glance_first=True)
    assert layers[:2] == [(512, 512)] * 2
    assert layers[2] == (len(query.keypoints), len(same.keypoints))
    assert strong.sum() == ours.match(query, same)[1].sum()

    layers.clear()
    ours._least_score = 1000.0
    found, scores = ours.match(query, same, glance_first=True)
    assert layers == [(512, 512)] * 2
    assert found.max() < 512
    assert scores.sum() > 30


def as_kornia_takes_it(view: FeatureView) -> dict[str, torch.Tensor]:
    """Keypoints in pixels, descriptors, and the size."""
    size = np.array([view.size], dtype=np.float32)
    arrays = {
        "keypoints": (view.keypoints * size)[None],
        "descriptors": view.descriptors.astype(np.float32)[None],
        "image_size": size,
    }
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


@BOTH
def test_two_threads_match_the_same(monkeypatch, extractor, matcher):
    """With a thread for either view, not a digit is another one; glanced at or not."""
    query, same, other = three_views(extractor())
    found, threads = [], []
    for cores in (1, 2):
        monkeypatch.setattr(lightglue, "count_cores", lambda cores=cores: cores)
        some, at_work = matcher(), set()
        for layer in some._network.transformers:
            layer.self_attn.register_forward_pre_hook(lambda *_, at_work=at_work: at_work.add(get_ident()))
        found.append([some.match(query, view, glance_first=glance) for view in (same, other) for glance in (0, 1)])
        threads.append(len(at_work))

    assert threads == [1, 2]
    for (on_one, scores), (on_two, same_scores) in zip(*found, strict=True):
        np.testing.assert_array_equal(on_two, on_one)
        np.testing.assert_array_equal(same_scores, scores)


@BOTH
def test_no_keypoint_matches_twice(extractor, matcher):
    """Not even where two keypoints are the same to the digit."""
    query, same, _ = three_views(extractor())
    doubled = replace(
        query,
        keypoints=query.keypoints[:300].repeat(2, axis=0),
        descriptors=query.descriptors[:300].repeat(2, axis=0),
        scores=query.scores[:300].repeat(2, axis=0),
    )
    match = matcher().match

    for pair in ((doubled, same), (same, doubled)):
        found, _ = match(*pair)
        assert len(found) > 30
        assert [len(set(side)) for side in found.T.tolist()] == [len(found)] * 2
