"""Command-line values that more than one script reads."""

import argparse
import json
from typing import Any

from core.errors import InvalidRequest
from core.shards import Shard


def json_object(text: str) -> dict[str, Any]:
    """Read an option such as ``{"pooling": "gem"}``, for ``add_argument(type=...)``."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"no JSON: {error}") from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f'a JSON object is needed, such as {{"pooling": "gem"}}, not {text}')
    return value


def shard(text: str) -> Shard:
    """Read an option such as ``3/8``, for ``add_argument(type=...)``."""
    try:
        return Shard.parse(text)
    except InvalidRequest as error:
        raise argparse.ArgumentTypeError(str(error)) from None
