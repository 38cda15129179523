"""Command-line values that more than one script reads."""

import argparse
import json
from typing import Any

from core.errors import InvalidRequest
from core.gallery import Storage
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


def add_storage_options(parser: argparse.ArgumentParser) -> None:
    """Let the user name a gallery that is shared by several machines, as the services' settings do."""
    shared = parser.add_argument_group("a gallery shared by several machines, as docs/settings.md says")
    shared.add_argument(
        "--database-url",
        default="",
        metavar="URL",
        help="PostgreSQL that keeps the rows: postgresql://USER@HOST:5432/DATABASE; the password may lie in ~/.pgpass",
    )
    shared.add_argument("--photo-store", default="", metavar="URL", help="bucket of the photos: s3://BUCKET/PREFIX")
    shared.add_argument("--s3-endpoint", default="", metavar="URL", help="of a bucket that is not Amazon's")
    # Whoever writes without the services' index leaves them one that they must compare before they answer again.
    shared.add_argument(
        "--vector-index", default="faiss", metavar="NAME", help="what the services' M1_VECTOR_INDEX says"
    )
    shared.add_argument(
        "--vector-index-options", type=json_object, default={}, metavar="JSON", help="likewise M1_VECTOR_INDEX_OPTIONS"
    )


def storage_of(arguments: argparse.Namespace) -> Storage:
    """What ``add_storage_options`` read."""
    return Storage(
        database_url=arguments.database_url,
        photo_store=arguments.photo_store,
        s3_endpoint=arguments.s3_endpoint,
        vector_index=arguments.vector_index,
        vector_index_options=arguments.vector_index_options,
    )
