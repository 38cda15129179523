"""Colours that can be read: contrast as WCAG 2.2 defines it."""

Colour = tuple[int, int, int]
"""sRGB, [0, 255]."""

READABLE = 4.5
"""Least contrast of text, WCAG 2.2, success criterion 1.4.3 (level AA)."""


def read_colour(text: str) -> Colour:
    """Read ``#rrggbb``."""
    red, green, blue = (int(text[at : at + 2], 16) for at in (1, 3, 5))
    return red, green, blue


def write_colour(colour: Colour) -> str:
    """Write ``#rrggbb``.

    >>> write_colour(read_colour("#0b625a"))
    '#0b625a'
    """
    return "#" + "".join(f"{part:02x}" for part in colour)


def contrast(one: Colour, other: Colour) -> float:
    """Return the contrast of two colours, [1, 21].

    >>> contrast((0, 0, 0), (255, 255, 255))
    21.0
    """
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def readable_on(colour: Colour, ground: Colour, *, lighter: bool) -> Colour:
    """Return the colour itself where it can be read on a ground, else the nearest darker or lighter one that can.

    Args:
        colour: of the text.
        ground: behind it; black, or white with ``lighter``, can be read on it.
        lighter: mix the colour with white, not with black.
    """
    end = 255 if lighter else 0
    for share in range(256):
        red, green, blue = (part + round((end - part) * share / 255) for part in colour)
        if contrast((red, green, blue), ground) >= READABLE:
            return red, green, blue
    raise ValueError(f"{'white' if lighter else 'black'} cannot be read on {write_colour(ground)}")


def _luminance(colour: Colour) -> float:
    """Return the relative luminance, [0, 1]."""
    red, green, blue = (_linear(part / 255) for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
