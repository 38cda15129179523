"""How a collection presents its museum, over HTTP: what visitors get, and what is refused."""

import re
from base64 import b64encode
from io import BytesIO
from pathlib import Path

import pytest
from fakes.images import draw_place, encode
from in_process import AppClient, error_of
from PIL import Image

import gateway
from core.imaging.contrast import READABLE, contrast, read_colour

PATH = "/collections/default/branding"
LOGO = "/collections/default/logo"
NONE = {
    "title": "",
    "colour": "",
    "accent": None,
    "privacy_note": "",
    "privacy_url": "",
    "footer": "",
    "footer_url": "",
    "logo": None,
}
STYLE = (Path(gateway.__file__).parent / "web" / "style" / "base.css").read_text()


def change(product: AppClient, **fields: str) -> dict:
    """Change fields; all of them as answered."""
    answer = product.request("PATCH", PATH, json=fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


def png(picture: Image.Image) -> bytes:
    """A picture as a PNG file."""
    buffer = BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def test_visitors_get_what_the_operator_gave(filled: AppClient):
    """Fields that are not sent stay; an empty text removes one."""
    assert filled.get(PATH).json() == NONE

    given = {"title": "江南博物馆", "footer": "苏ICP备1号", "footer_url": "https://beian.miit.gov.cn/"}
    assert change(filled, **given) == {**NONE, **given}
    change(filled, privacy_note="Photos are forgotten.", footer="")

    assert filled.get(PATH).json() == {**NONE, **given, "footer": "", "privacy_note": "Photos are forgotten."}


@pytest.mark.parametrize("colour", ["#FFD400", "#8a1538", "#000000", "#ffffff"])
def test_a_colour_is_given_as_it_can_be_read(filled: AppClient, colour: str):
    """On every background of the page, light and dark, and below the text of a button."""
    accent = change(filled, colour=colour)["accent"]

    light, dark = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    for scheme, rules in (("light", light), ("dark", dark)):
        named = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", rules))
        for ground in ("ground", "surface", "tint", "on-accent"):
            behind = named[ground].replace("#fff", "#ffffff") if len(named[ground]) == 4 else named[ground]
            assert contrast(read_colour(accent[scheme]), read_colour(behind)) >= READABLE, (scheme, ground)


def test_a_logo_is_a_small_picture(filled: AppClient):
    """Made small; its address changes with it, so that browsers may keep it; transparent parts become white."""
    first = change(filled, logo=b64encode(encode(draw_place(1, (1200, 400)))).decode())["logo"]
    answer = filled.get(LOGO)

    assert answer.headers["content-type"] == "image/png"
    assert max(Image.open(BytesIO(answer.content)).size) == 256
    assert filled.get(LOGO, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    transparent = png(Image.new("RGBA", (40, 30), (0, 0, 0, 0)))
    assert change(filled, logo=b64encode(transparent).decode())["logo"] != first
    assert Image.open(BytesIO(filled.get(LOGO).content)).getpixel((5, 5)) == (255, 255, 255)
    assert change(filled, logo="")["logo"] is None
    assert error_of(filled.get(LOGO))["message"] == "collection 'default' has no logo"


@pytest.mark.parametrize(
    ("fields", "status", "says"),
    [
        ({"footer_url": "javascript:alert(1)"}, 422, "footer_url"),
        ({"privacy_url": "https://a b"}, 422, "privacy_url"),
        ({"colour": "red"}, 422, "colour"),
        ({"title": "two\nlines"}, 422, "title"),
        ({"logo": "not base64"}, 422, "logo"),
        ({"logo": b64encode(b"<svg onload='alert(1)'/>").decode()}, 415, "not an accepted photo"),
        ({"logo": b64encode(encode(draw_place(1))[:400]).decode()}, 400, "damaged"),
        ({"icon": ""}, 422, "icon"),
    ],
)
def test_what_a_page_must_not_show_is_refused(filled: AppClient, fields: dict[str, str], status: int, says: str):
    """The answer says what is wrong, and nothing has changed."""
    refused = filled.request("PATCH", PATH, json={"title": "New", **fields})

    assert refused.status_code == status
    assert says in refused.text
    assert filled.get(PATH).json() == NONE


def test_a_collection_that_is_not_there_presents_nothing(product: AppClient):
    """Neither reading nor changing makes one."""
    for answer in (product.get(PATH), product.get(LOGO), product.request("PATCH", PATH, json={"title": "New"})):
        assert error_of(answer)["code"] == "unknown_collection"
