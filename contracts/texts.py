"""Names and descriptions of places in several languages."""

from typing import Annotated

from pydantic import BaseModel, Field

MOST_LANGUAGES = 50

LanguageTag = Annotated[
    str, Field(max_length=35, pattern="^[A-Za-z]{1,8}(-[0-9A-Za-z]{1,8})*$", examples=["en", "zh-Hant"])
]
"""A tag of BCP 47; which tags are well-formed is checked where they are stored."""


class PlaceTextBody(BaseModel):
    """A place's name and description in one language besides the collection's own."""

    name: str = Field(default="", description="empty: as in the collection's own language")
    description: str = Field(default="", description="Markdown; empty: as in the collection's own language")
    machine_translated: bool = False


class TextChangeBody(BaseModel):
    """What may be changed of a text. Fields left out stay as they are; a text without name and description is deleted.

    A changed text counts as a person's, unless `machine_translated` is sent.
    """

    model_config = {"extra": "forbid"}

    name: str | None = Field(default=None, max_length=500)
    description: str | None = Field(default=None, max_length=20_000, description="Markdown")
    machine_translated: bool | None = None


TextChanges = Annotated[
    dict[LanguageTag, TextChangeBody | None],
    Field(
        max_length=MOST_LANGUAGES,
        description="by language tag (BCP 47); languages that are not named stay as they are, null deletes a text",
    ),
]


class ShownText(BaseModel):
    """A place's texts for one reader: in the language that `Accept-Language` prefers among those there are.

    Each of name and description falls back on its own: exact tag, base language, the collection's own language.
    """

    name: str
    name_language: str | None = Field(default=None, description="tag of the name; null: not known")
    description: str = Field(default="", description="Markdown")
    language: str | None = Field(default=None, description="tag of the description; null: not known")
    html: str = Field(
        default="",
        description="the description, rendered and sanitised: paragraphs, headings from h2, lists, emphasis, "
        "quotations, code and links to http, https, mailto, tel and geo",
    )
    machine_translated: bool = Field(default=False, description="the name or the description is marked as such")
