"""How a collection presents its museum to visitors."""

from typing import Any

from pydantic import BaseModel, Field

_EXAMPLE: dict[str, Any] = {
    "title": "City Museum",
    "colour": "#8a1538",
    "privacy_note": "Your photo is compared and then forgotten.",
    "footer": "ICP 12345678",
    "footer_url": "https://beian.miit.gov.cn/",
}
_LONGEST_LOGO = 960 * 1024  # characters


class AccentBody(BaseModel):
    """The colour where it is readable: with a contrast of 4.5 on light and on dark backgrounds."""

    light: str = Field(description="`#rrggbb`, darkened where necessary")
    dark: str = Field(description="`#rrggbb`, lightened where necessary")


class BrandingBody(BaseModel):
    """What visitors see of a museum. Texts are plain; an empty text stands for nothing."""

    title: str = Field(description="the museum's name, in place of the product's")
    colour: str = Field(description="of buttons and headings, `#rrggbb`, as it was given")
    accent: AccentBody | None = Field(description="null without `colour`")
    privacy_note: str = Field(description="what visitors should know of their photos")
    privacy_url: str = Field(description="of the museum's privacy policy")
    footer: str = Field(description="last line of the page, such as an ICP number")
    footer_url: str = Field(description="where it leads")
    logo: str | None = Field(
        description="changes with the logo, which is at `GET /collections/{collection}/logo`; null: there is none"
    )


class BrandingChange(BaseModel):
    """New values. Fields left out stay as they are; an empty text removes one."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [_EXAMPLE]}}

    title: str = Field(default="", max_length=100)
    colour: str = Field(default="", pattern="^(#[0-9A-Fa-f]{6})?$", description="`#rrggbb`")
    privacy_note: str = Field(default="", max_length=4000)
    privacy_url: str = Field(default="", max_length=500, description="begins with `https://` or `http://`")
    footer: str = Field(default="", max_length=200)
    footer_url: str = Field(default="", max_length=500, description="begins with `https://` or `http://`")
    logo: str = Field(
        default="", max_length=_LONGEST_LOGO, description="JPEG, PNG, WebP, AVIF or HEIC of at most 700 KB, in base64"
    )
