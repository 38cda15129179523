"""The address that visitors open, as a picture that phones read."""

from io import BytesIO
from urllib.parse import quote

import segno

_QUIET_MODULES = 4  # around the code, as ISO/IEC 18004 asks


def visitors_address(page: str, collection: str) -> str:
    """The match page of one collection.

    >>> visitors_address("https://museum.example/", "east hall")
    'https://museum.example/?collection=east%20hall'
    """
    return f"{page}?collection={quote(collection, safe='')}"


def qr_svg(text: str) -> bytes:
    """Draw a QR code: an SVG, black on white, with the text as its title. A quarter of it may be covered or dirty."""
    drawn = BytesIO()
    code = segno.make_qr(text, error="q", boost_error=False)
    code.save(drawn, kind="svg", border=_QUIET_MODULES, dark="#000", light="#fff", title=text, omitsize=True)
    return drawn.getvalue()
