"""Where two photos agree, from synthetic points whose truth is known."""

import numpy as np
import pytest

from core.decision.matched_region import area, convex_hull, matched_region
from core.results import Correspondences

RANDOM = np.random.default_rng(5)
# A photo taken from the side: the gallery's frame comes out as a smaller, slanted quadrilateral.
SLANTED = np.array([[0.5, 0.08, 0.2], [0.02, 0.6, 0.15], [0.1, 0.15, 1.0]])


def mapped(points: np.ndarray, homography: np.ndarray) -> np.ndarray:
    ends = np.column_stack([points, np.ones(len(points))]) @ homography.T
    return ends[:, :2] / ends[:, 2:]


def pair(query: np.ndarray, candidate: np.ndarray) -> Correspondences:
    return Correspondences(query.astype(np.float32), candidate.astype(np.float32))


def test_a_plane_is_shown_whole():
    """Points of a painting give the painting's frame in the photo, not just the part that has points."""
    candidate = RANDOM.uniform(0.15, 0.85, (80, 2))

    region = matched_region(pair(mapped(candidate, SLANTED), candidate))

    corners = mapped(np.array([(0, 0), (1, 0), (1, 1), (0, 1)]), SLANTED)
    assert region.is_planar
    assert region.coverage == pytest.approx(1.0, abs=0.01)
    for corner in corners:
        assert np.abs(region.query - corner).sum(axis=1).min() < 0.01


def test_a_plane_that_leaves_the_photo_is_cut_at_its_edge():
    """Only what both photos show is a matched region, and every corner lies inside its photo."""
    closer = np.array([[2.0, 0.0, -0.6], [0.0, 2.0, -0.7], [0.0, 0.0, 1.0]])
    query = RANDOM.uniform(0.02, 0.98, (60, 2))

    region = matched_region(pair(query, mapped(query, np.linalg.inv(closer))))

    assert region.is_planar
    assert area(region.query) == pytest.approx(1.0, abs=0.02)
    assert region.coverage == pytest.approx(0.25, abs=0.02)
    assert (region.candidate >= -1e-9).all()
    assert (region.candidate <= 1 + 1e-9).all()


def test_points_in_depth_give_their_hull():
    """Where no plane explains the points, nothing beyond them is claimed."""
    candidate = RANDOM.uniform(0.2, 0.8, (60, 2))
    depth = RANDOM.uniform(-0.15, 0.15, (60, 1))

    region = matched_region(pair(candidate + depth, candidate))

    assert not region.is_planar
    np.testing.assert_allclose(region.candidate, convex_hull(candidate.astype(np.float32)), atol=1e-6)


def test_points_in_a_corner_do_not_speak_for_the_whole_plane():
    """A homography through a small patch is not believed far from it."""
    candidate = RANDOM.uniform(0.4, 0.55, (60, 2))

    assert not matched_region(pair(mapped(candidate, SLANTED), candidate)).is_planar


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_points_have_no_region(count: int):
    """Two points span nothing."""
    points = RANDOM.uniform(0, 1, (count, 2))

    assert matched_region(pair(points, points)) is None


def test_a_line_of_points_has_no_area():
    """Collinear and repeated points are survived."""
    line = np.linspace(0.1, 0.9, 30)[:, None].repeat(2, axis=1)

    region = matched_region(pair(line, line))

    assert region.coverage == pytest.approx(0.0, abs=1e-6)
    assert len(convex_hull(np.full((4, 2), 0.5))) == 1


def test_the_hull_holds_all_points():
    """A square's corners are its hull whatever lies inside."""
    square = [(0, 0), (1, 0), (1, 1), (0, 1)]

    hull = convex_hull(np.array([*square, *RANDOM.uniform(0.1, 0.9, (50, 2))]))

    assert sorted(map(tuple, hull)) == sorted(square)
    assert area(hull) == pytest.approx(1.0)
