"""Names and descriptions of places in several languages."""

from typing import Annotated

from pydantic import BaseModel, Field

MOST_LANGUAGES = 50

LanguageTag = Annotated[
    str, Field(max_length=35, pattern="^[A-Za-z]{1,8}(-[0-9A-Za-z]{1,8})*$", examples=["en", "zh-Hant"])
]
"""A tag of BCP 47; which tags are well-formed is checked where they are stored."""


class AudioBody(BaseModel):
    """A sound recording; `PUT /index/places/audio` stores one."""

    url: str
    media_type: str = Field(examples=["audio/mpeg"])
    bytes: int


class PlaceTextBody(BaseModel):
    """What is written of a place in one language besides the collection's own, or said in a recording."""

    name: str = Field(default="", description="empty: as in the collection's own language")
    description: str = Field(default="", description="Markdown; empty: as in the collection's own language")
    machine_translated: bool = False
    transcript: str = Field(default="", description="of the recording in this language, Markdown")


class TextChangeBody(BaseModel):
    """What may be changed of a text. Fields left out stay as they are; a text that says nothing is deleted.

    A changed text counts as a person's, unless `machine_translated` is sent.
    """

    model_config = {"extra": "forbid"}

    name: str | None = Field(default=None, max_length=500)
    description: str | None = Field(default=None, max_length=20_000, description="Markdown")
    machine_translated: bool | None = None
    transcript: str | None = Field(default=None, max_length=20_000, description="of the recording, Markdown")


TextChanges = Annotated[
    dict[LanguageTag, TextChangeBody | None],
    Field(
        max_length=MOST_LANGUAGES,
        description="by language tag (BCP 47); languages that are not named stay as they are, null deletes a text; "
        "beside a recording, its transcript stays",
    ),
]


class ShownAudio(AudioBody):
    """The recording for one reader, and its transcript to be shown."""

    language: str = Field(description="tag of what is spoken")
    transcript_html: str = Field(default="", description="the transcript, rendered as `html` of the description is")


class ShownText(BaseModel):
    """A place's texts for one reader: in the language that `Accept-Language` prefers among those there are.

    Name, description and recording fall back on their own: exact tag, base language, the collection's own language.
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
    audio: ShownAudio | None = Field(default=None, description="null: there is no recording in any language")
    machine_translated: bool = Field(default=False, description="the name or the description is marked as such")
