"""Colours that can be read."""

import itertools

import pytest

from core.imaging.contrast import READABLE, contrast, read_colour, readable_on, write_colour

LIGHT, DARK = read_colour("#e0eeeb"), read_colour("#17332e")


@pytest.mark.parametrize(("grey", "ratio"), [("#767676", 4.54), ("#777777", 4.48), ("#ffffff", 1.0), ("#000000", 21.0)])
def test_contrast_is_that_of_wcag(grey: str, ratio: float):
    """Of the greys beside the limit on white, as the specification's own tools give it."""
    assert contrast(read_colour(grey), (255, 255, 255)) == pytest.approx(ratio, abs=0.005)


def test_every_colour_becomes_readable():
    """Bright ones on light and deep ones on dark, as little changed as possible."""
    for colour in itertools.product((0, 51, 128, 204, 255), repeat=3):
        for ground, lighter in ((LIGHT, False), (DARK, True)):
            readable = readable_on(colour, ground, lighter=lighter)
            assert contrast(readable, ground) >= READABLE
            assert (readable == colour) == (contrast(colour, ground) >= READABLE)
            if readable != colour:
                assert contrast(readable, ground) < READABLE + 0.2


def test_a_readable_colour_stays():
    """A museum's own colour is used as it is where it can be."""
    assert write_colour(readable_on(read_colour("#8a1538"), LIGHT, lighter=False)) == "#8a1538"


def test_the_hue_is_kept():
    """A bright yellow becomes a dark one, not grey."""
    red, green, blue = readable_on(read_colour("#ffd400"), LIGHT, lighter=False)

    assert red > green > blue == 0
