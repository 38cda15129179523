"""Names that callers give, in Unicode's composed form: macOS writes the other, which looks the same."""

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


CollectionName = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_composed)]
"""The name of a collection."""
