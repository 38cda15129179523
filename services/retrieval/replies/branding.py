"""How a collection presents its museum, as replies."""

import binascii
from base64 import b64decode
from hashlib import sha256
from typing import Any

from contracts.branding import AccentBody, BrandingBody, BrandingChange
from core.errors import InvalidRequest
from core.gallery.branding import Branding, make_logo
from core.imaging.contrast import read_colour, readable_on, write_colour

# The backgrounds that are hardest to read on; tests/gateway/test_branding.py holds the page's own to them.
DARKEST_LIGHT_GROUND = "#e0eeeb"
LIGHTEST_DARK_GROUND = "#17332e"


def branding_change(change: BrandingChange) -> dict[str, Any]:
    """Translate the given fields; a logo is decoded and made small.

    Raises:
        InvalidRequest: the logo is not base64.
        InvalidImage: it is no picture.
    """
    given: dict[str, Any] = change.model_dump(exclude_unset=True)
    if "colour" in given:
        given["colour"] = given["colour"].lower()
    if "logo" in given:
        given["logo"] = make_logo(_decoded(given["logo"])) if given["logo"] else None
    return given


def branding_body(branding: Branding) -> BrandingBody:
    """Translate a branding."""
    return BrandingBody(
        title=branding.title,
        colour=branding.colour,
        accent=_accent(branding.colour) if branding.colour else None,
        privacy_note=branding.privacy_note,
        privacy_url=branding.privacy_url,
        footer=branding.footer,
        footer_url=branding.footer_url,
        logo=None if branding.logo is None else logo_version(branding.logo),
    )


def logo_version(logo: bytes) -> str:
    """Name the bytes of a logo."""
    return sha256(logo).hexdigest()[:16]


def _accent(colour: str) -> AccentBody:
    wanted = read_colour(colour)
    return AccentBody(
        light=write_colour(readable_on(wanted, read_colour(DARKEST_LIGHT_GROUND), lighter=False)),
        dark=write_colour(readable_on(wanted, read_colour(LIGHTEST_DARK_GROUND), lighter=True)),
    )


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest("invalid logo: it is not base64; give the bytes of a picture in base64") from None
