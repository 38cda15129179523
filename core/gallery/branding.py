"""How a collection presents its museum to visitors: name, logo, colour, privacy note and footer."""

import re
from dataclasses import dataclass, fields
from io import BytesIO

from core.errors import InvalidRequest
from core.gallery.validation import storable
from core.imaging.decoding import ImageLimits, decode_image

LOGO_SIDE = 256
"""Longest side of a stored logo, pixels."""
_LOGO_LIMITS = ImageLimits(max_bytes=700 * 1024, max_pixels=20_000_000)
_COLOUR = re.compile(r"#[0-9a-f]{6}")
_WEB_ADDRESS = re.compile(r"https?://[^\s\"'<>\\^`{|}]+")
_LONGEST = {"title": 100, "colour": 7, "privacy_note": 4000, "privacy_url": 500, "footer": 200, "footer_url": 500}


@dataclass(frozen=True, slots=True)
class Branding:
    """Texts are plain; "" stands for nothing.

    Attributes:
        title: the museum's name, in place of the product's.
        colour: of buttons and headings, ``#rrggbb``.
        privacy_note: what visitors should know of their photos; may have several lines.
        privacy_url: of the museum's privacy policy.
        footer: the last line of the page, such as an ICP number.
        footer_url: where it leads.
        logo: PNG, at most ``LOGO_SIDE`` pixels on a side; None for none.
    """

    title: str = ""
    colour: str = ""
    privacy_note: str = ""
    privacy_url: str = ""
    footer: str = ""
    footer_url: str = ""
    logo: bytes | None = None


def check_branding(branding: Branding) -> Branding:
    """Return ``branding`` if its texts can be stored and its addresses are of the web.

    Raises:
        InvalidRequest: a field is not acceptable; the message names it.
    """
    for field in fields(Branding):
        if field.name == "logo":
            continue
        value: str = getattr(branding, field.name)
        if len(value) > _LONGEST[field.name]:
            raise InvalidRequest(
                f"{field.name} too long: {len(value):,} characters; at most {_LONGEST[field.name]:,} are accepted"
            )
        line = re.sub(r"[\t\r\n]", " ", value) if field.name == "privacy_note" else value
        if storable(line, "") != line:
            raise InvalidRequest(f"invalid {field.name}: it holds control characters; give text without them")
    if branding.colour and not _COLOUR.fullmatch(branding.colour):
        raise InvalidRequest(f"invalid colour: {branding.colour!r:.20}; give #rrggbb in lower case, such as #0b625a")
    for name in ("privacy_url", "footer_url"):
        address = getattr(branding, name)
        if address and not _WEB_ADDRESS.fullmatch(address):
            raise InvalidRequest(
                f"invalid {name}: {address!r:.80}; give an address that begins with https:// or http://"
            )
    return branding


def make_logo(data: bytes) -> bytes:
    """Make a small PNG of a picture; transparent parts become white, so that dark letters stay readable on dark pages.

    Raises:
        InvalidImage: it is no picture in an accepted format, or above a limit.
    """
    buffer = BytesIO()
    decode_image(data, max_side=LOGO_SIDE, limits=_LOGO_LIMITS).image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
