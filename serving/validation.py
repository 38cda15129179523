"""What pydantic found wrong with a value."""

from collections.abc import Mapping
from typing import Any


def explain(error: Mapping[str, Any]) -> str:
    """Return the sentence of one of pydantic's errors; that of our own validator as the validator wrote it.

    >>> explain({"msg": "Value error, give both or neither"})
    'give both or neither'
    >>> explain({"msg": "Input should be a valid boolean, unable to interpret input"})
    'Input should be a valid boolean'
    """
    sentence: str = error["msg"]
    return sentence.removeprefix("Value error, ").partition(", unable to ")[0]
