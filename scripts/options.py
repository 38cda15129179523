"""Command-line options of several scripts."""

import argparse
import io
import json
import os
import sys
from typing import Any

from core.building.work_shards import Shard
from core.errors import InvalidRequest
from core.gallery import Storage


def print_any_name() -> None:
    """Escape characters of file names that the terminal's encoding cannot print."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


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


def add_verifier_options(parser: argparse.ArgumentParser) -> None:
    """Add an option for further settings of the verifier, like ``M3_VERIFIER_OPTIONS`` of the service."""
    parser.add_argument(
        "--verifier-options",
        type=json_object,
        default={},
        metavar="JSON",
        help='further settings of the verifier, e.g. {"url": "http://127.0.0.1:8000/v1"}',
    )


def add_storage_options(parser: argparse.ArgumentParser) -> None:
    """Add options for a gallery that several machines share; without them, the services' variables are used.

    All of them are needed: without the services' database, a script would write a gallery that they do not read;
    without their photo store, rows without photos; without their vector index, vectors that they must compare first.
    """
    shared = parser.add_argument_group(
        "a gallery shared by several machines",
        "As docs/settings.md says. Without --database-url all is taken from the services' variables, where they are "
        'set: M1_DATABASE_URL and so on. --database-url "" means a gallery of its own, whatever they say.',
    )
    shared.add_argument(
        "--database-url",
        metavar="URL",
        help="PostgreSQL for the rows: postgresql://USER@HOST:5432/DATABASE; the password may be in ~/.pgpass",
    )
    shared.add_argument("--photo-store", default="", metavar="URL", help="bucket for the photos: s3://BUCKET/PREFIX")
    shared.add_argument("--s3-endpoint", default="", metavar="URL", help="URL of an S3 store other than Amazon's")
    shared.add_argument("--vector-index", default="faiss", metavar="NAME", help="the vector index of the services")
    shared.add_argument("--vector-index-options", type=json_object, default={}, metavar="JSON", help="its options")


def storage_of(arguments: argparse.Namespace) -> Storage:
    """Return the storage of the options of ``add_storage_options``, else of the environment.

    Raises:
        InvalidRequest: M1_VECTOR_INDEX_OPTIONS is not a JSON object.
    """
    if arguments.database_url is None and os.environ.get("M1_DATABASE_URL"):
        try:
            index_options = json_object(os.environ.get("M1_VECTOR_INDEX_OPTIONS") or "{}")
        except argparse.ArgumentTypeError as error:
            raise InvalidRequest(f"invalid M1_VECTOR_INDEX_OPTIONS: {error}") from None
        return Storage(
            database_url=os.environ["M1_DATABASE_URL"],
            photo_store=arguments.photo_store or os.environ.get("M1_PHOTO_STORE", ""),
            s3_endpoint=arguments.s3_endpoint or os.environ.get("M1_S3_ENDPOINT", ""),
            vector_index=os.environ.get("M1_VECTOR_INDEX") or "faiss",
            vector_index_options=index_options,
        )
    return Storage(
        database_url=arguments.database_url or "",
        photo_store=arguments.photo_store,
        s3_endpoint=arguments.s3_endpoint,
        vector_index=arguments.vector_index,
        vector_index_options=arguments.vector_index_options,
    )
