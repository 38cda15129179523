"""Batches of photos of which one cannot be encoded, and vectors that are no numbers."""

import math

import numpy as np
import pytest
from fakes.encoders import NumberlessEncoder, ThumbnailEncoder
from fakes.images import draw_place
from PIL import Image

from core.encoders.batches import encode_each
from core.errors import InvalidNumbers
from core.results import Encodings, LocalFeatures, Look


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_vectors_that_are_no_numbers_are_refused_where_they_arise(value: float):
    """Neither a batch of vectors nor that of a further look may hold NaN or infinity; the message says what helps."""
    vectors = np.array([[1.0, 0.0], [0.6, value]], dtype=np.float32)

    with pytest.raises(InvalidNumbers, match="choose the dtype float32"):
        Encodings(vectors, (None, None))
    with pytest.raises(InvalidNumbers):
        Look(LocalFeatures((), "none"), vectors[1])


def test_a_photo_without_numbers_costs_no_other_its_vector():
    """In a batch the photo that a model overflows on fails alone; the others have the vectors that they have alone."""
    dark = Image.new("RGB", (64, 64))
    photos = [draw_place(1), dark, draw_place(2)]

    first, failed, last = encode_each(NumberlessEncoder(), photos)

    expected = ThumbnailEncoder().encode([photos[0], photos[2]]).embeddings
    assert isinstance(failed, InvalidNumbers)
    assert np.array_equal([first[0], last[0]], expected)
