"""A Milvus server: its options, and one connection whose failures say what is wrong."""

import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import grpc
from pymilvus import MilvusClient, MilvusException

from core.errors import GalleryUnavailable, InvalidRequest

INDEXES: dict[str, dict[str, int]] = {"HNSW": {"M": 24, "efConstruction": 200}, "IVF_FLAT": {"nlist": 1024}, "FLAT": {}}
"""The kinds of index, and what they are built with."""

_RETRY_AFTER_S = 1.0
_LONGEST_RECONNECT_MS = 2000  # gRPC's own limit is two minutes, of which a server that is back would be left alone


@dataclass(frozen=True, slots=True)
class MilvusOptions:
    """What ``vector_index_options`` may hold.

    Attributes:
        uri: of the server, such as ``http://milvus:19530``.
        token: ``user:password`` or an API key; empty without authorization.
        database: Milvus' own, empty for the default one.
        collection: in Milvus, of this gallery alone.
        index: ``HNSW``, ``IVF_FLAT`` or ``FLAT``; takes effect when the collection is made.
        search_width: ``ef`` of HNSW, ``nprobe`` of IVF_FLAT: more finds more, slower.
        timeout_s: of one request.
        staleness_s: Milvus may answer as of so long ago; more than ``common.gracefulTime`` of its configuration (5 s),
            by as much as the clocks of replicas may differ.
        rows_in_memory: so many vectors that wait for Milvus are kept in memory.
    """

    uri: str = field(repr=False)  # like the token it may hold a password
    token: str = field(default="", repr=False)
    database: str = ""
    collection: str = "semantic_image_matcher"
    index: str = "HNSW"
    search_width: int = 128
    timeout_s: float = 5.0
    staleness_s: float = 10.0
    rows_in_memory: int = 50_000

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if self.index not in INDEXES:
            raise InvalidRequest(f"unknown Milvus index: {self.index!r:.80}; known: {', '.join(INDEXES)}")
        for name in ("timeout_s", "staleness_s"):
            if not 0 < getattr(self, name) < math.inf:  # NaN is not, either
                raise InvalidRequest(f"invalid option {name} of the Milvus index: seconds must be > 0, and finite")
        if self.search_width < 1 or self.rows_in_memory < 0:
            raise InvalidRequest("invalid options of the Milvus index: search_width must be > 0, rows_in_memory >= 0")
        try:
            _ = self.address
        except ValueError:
            # The message has neither the value, which may hold a password, nor Python's message about it.
            raise InvalidRequest(
                "invalid option uri of the Milvus index: no address; give one such as http://127.0.0.1:19530, "
                "with a port up to 65535"
            ) from None

    @property
    def address(self) -> str:
        """The server, for messages: without a password."""
        parts = urlsplit(self.uri)
        return f"{parts.hostname}:{parts.port}" if parts.hostname else "the configured uri"


def read_options(options: Mapping[str, Any]) -> MilvusOptions:
    """Check the options.

    Raises:
        InvalidRequest: one is missing, unknown or out of range.
    """
    known = {option.name: option.type for option in fields(MilvusOptions)}
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise InvalidRequest(f"unknown options of the Milvus index: {', '.join(unknown)}; known: {', '.join(known)}")
    if "uri" not in options:
        raise InvalidRequest('the Milvus index needs the option "uri", such as http://127.0.0.1:19530')
    for name, value in options.items():
        accepted = {str: (str,), int: (int,), float: (int, float)}[known[name]]  # type: ignore[index]
        if not isinstance(value, accepted) or isinstance(value, bool):
            raise InvalidRequest(
                f"invalid option {name} of the Milvus index: a {type(value).__name__}; "
                f"give one of the type {' or '.join(kind.__name__ for kind in accepted)}"
            )
    return MilvusOptions(**options)


class MilvusConnection:
    """Connects when first asked. Safe for several threads."""

    def __init__(self, options: MilvusOptions) -> None:
        """Set the server; it is not asked yet."""
        self._options = options
        self._client: MilvusClient | None = None
        self._failed_at = -_RETRY_AFTER_S
        self._lock = Lock()
        # pymilvus logs every failure with a traceback; here failures are raised, and reported by the caller.
        logging.getLogger("pymilvus").setLevel(logging.CRITICAL)

    def ask(self, method: str, *arguments: Any, timeout_s: float | None = None, **options: Any) -> Any:
        """Call a method of pymilvus' client.

        Raises:
            GalleryUnavailable: the server refuses, or gives no answer; then for a moment it is not even asked.
        """
        if time.monotonic() < self._failed_at + _RETRY_AFTER_S:
            raise self._unavailable("it did not answer a moment ago")
        limit_s = timeout_s or self._options.timeout_s
        try:
            return getattr(self._connected(), method)(*arguments, timeout=limit_s, **options)
        except (MilvusException, grpc.RpcError, grpc.FutureTimeoutError) as exc:
            # A refusal of Milvus has a number; where the network failed, the code is gRPC's.
            if self._client is None or not isinstance(getattr(exc, "code", None), int):
                self._failed_at = time.monotonic()
            raise self._unavailable(str(getattr(exc, "message", exc))[:300]) from exc

    def close(self) -> None:
        """Close the connection; the next question opens another."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _connected(self) -> MilvusClient:
        with self._lock:
            if self._client is None:
                self._client = MilvusClient(
                    self._options.uri,
                    token=self._options.token,
                    db_name=self._options.database,
                    timeout=self._options.timeout_s,
                    dedicated=True,  # a shared connection would be closed by the first client that closes
                    grpc_options={"grpc.max_reconnect_backoff_ms": _LONGEST_RECONNECT_MS},
                )
            return self._client

    def _unavailable(self, reason: str) -> GalleryUnavailable:
        return GalleryUnavailable(f"the vector engine at {self._options.address} cannot be used: {reason}")
