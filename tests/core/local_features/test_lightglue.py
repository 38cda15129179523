"""Both LightGlues, in the number formats that they run in."""

import pytest
from fakes.images import draw_place, see_again

from core.local_features import lightglue
from core.local_features.aliked import AlikedExtractor, AlikedMatcher
from core.local_features.lighterglue import LighterGlue
from core.local_features.xfeat import XFeatExtractor


@pytest.mark.parametrize(("extractor", "matcher"), [(XFeatExtractor, LighterGlue), (AlikedExtractor, AlikedMatcher)])
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
        match = matcher().match
        found.append((match(query, same), match(query, other)))

    ((exact, exact_scores), (_, exact_others)), ((rounded, rounded_scores), (_, rounded_others)) = found
    common = set(map(tuple, exact)) & set(map(tuple, rounded))
    assert len(exact) > 100
    assert len(common) > 0.95 * max(len(exact), len(rounded))
    assert rounded_scores.sum() == pytest.approx(exact_scores.sum(), rel=0.05)
    assert rounded_others.sum() == pytest.approx(exact_others.sum(), rel=0.1, abs=0.5)
