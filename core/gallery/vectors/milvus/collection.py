"""One collection of a Milvus server, as the gallery uses it. Tested with Milvus 2.3.5.

    seq         primary key: the image's; negative for markers
    collection  partition key: the number of the image's collection; 0 for markers
    image       63 bits of its id: another image may get its seq, but not its id; 0 for markers
    vector      float32 [D], L2 norm 1, compared by COSINE

Collections made before version 0.2.0 have a field ``place`` as well, which nothing asks for; Milvus cannot drop a
field, so it gets a 0 there.

Entities are deleted, then inserted, never upserted: Milvus 2.3 scatters upserted ones over all partitions, whatever
their partition key, and a search by that key misses most of them.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymilvus import DataType, MilvusClient

from core.errors import EncoderMismatch, InvalidRequest
from core.gallery.vectors.milvus.connection import INDEXES, MilvusConnection, MilvusOptions
from core.gallery.vectors.milvus.outbox import Entities
from core.results import EncoderFingerprint

MAX_TOP_K = 16_384
"""The most that Milvus answers with."""

_FIELDS = ["seq", "collection", "image", "vector"]
_FIELDS_BEFORE_0_2_0 = ["seq", "collection", "place", "image", "vector"]
_MARKERS = 0
_LARGEST_EPOCH = 2**62
_SEQS_AT_ONCE = 8000
_LONG_TIMEOUT_S = 60.0


class MilvusCollection:
    """Reads and writes the collection. Every method raises GalleryUnavailable where the server does not answer."""

    def __init__(self, options: MilvusOptions, fingerprint: EncoderFingerprint) -> None:
        """Set the server and the encoder; the server is not asked yet."""
        self.options = options
        self._fingerprint = fingerprint
        self._name = options.collection
        self._connection = MilvusConnection(options)

    def exists(self) -> bool:
        """Whether the collection has been made."""
        return bool(self._connection.ask("has_collection", self._name))

    def make(self, gallery: str) -> None:
        """Make the collection, empty, for the gallery of that random name."""
        schema = MilvusClient.create_schema(
            auto_id=False,
            enable_dynamic_field=False,
            description=json.dumps({"gallery": gallery, "encoder": str(self._fingerprint), "fields": _FIELDS}),
        )
        schema.add_field("seq", DataType.INT64, is_primary=True)
        schema.add_field("collection", DataType.INT64, is_partition_key=True)
        schema.add_field("image", DataType.INT64)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=self._fingerprint.dim)
        index = MilvusClient.prepare_index_params()
        kind = self.options.index
        index.add_index("vector", index_type=kind, metric_type="COSINE", params=INDEXES[kind])
        self._connection.ask(
            "create_collection",
            self._name,
            schema=schema,
            index_params=index,
            num_shards=1,  # one log: what survives a crash is all that was written before some moment
            consistency_level="Bounded",
            timeout_s=_LONG_TIMEOUT_S,
        )

    def load(self, gallery: str) -> None:
        """Load an existing collection for searches, if it is this gallery's.

        Raises:
            EncoderMismatch: it holds another encoder's vectors.
            InvalidRequest: it is another gallery's, or was made by an earlier version of this program.
        """
        description = self._description()
        owner, encoder, fields = (description.get(name) for name in ("gallery", "encoder", "fields"))
        place = f"collection {self._name!r} at {self.options.address}"
        advice = "give another name as `collection` in the vector index's options"
        if owner != gallery:
            raise InvalidRequest(f"{place} is not this gallery's; {advice}")
        if encoder != str(self._fingerprint):
            raise EncoderMismatch(
                f"{place} was made by {encoder}, this gallery by {self._fingerprint}; drop it there, or {advice}"
            )
        if fields not in (_FIELDS, _FIELDS_BEFORE_0_2_0):
            raise InvalidRequest(f"{place} was made by an earlier version; drop it there, and it is made again")
        self._connection.ask("load_collection", self._name, timeout_s=_LONG_TIMEOUT_S)

    def replace(self, entities: Entities) -> None:
        """Write entities in place of any of the same seqs; doing it twice is doing it once."""
        numbers = entities.seqs, entities.keys, entities.images
        columns = [*(column.tolist() for column in numbers), entities.vectors]
        rows = [dict(zip(_FIELDS, row, strict=True)) for row in zip(*columns, strict=True)]
        self.delete(entities.seqs)
        self._insert(rows)

    def delete(self, seqs: NDArray[np.int64]) -> None:
        """Delete entities; those that are not there are ignored."""
        for chunk in _chunks(seqs, _SEQS_AT_ONCE):
            self._connection.ask("delete", self._name, ids=chunk)

    def write_marker(self, epoch: int) -> None:
        """Write a marker, which no search finds."""
        vector = np.eye(1, self._fingerprint.dim, dtype=np.float32)[0]
        self._insert([{"seq": -epoch, "collection": _MARKERS, "image": 0, "vector": vector}])

    def markers(self) -> NDArray[np.int64]:
        """Read the epochs of all markers there are at this moment: int64 [N], at most ``MAX_TOP_K``."""
        rows = self._query(-_LARGEST_EPOCH - 1, -1, ["seq"], limit=MAX_TOP_K)
        return -np.array([row["seq"] for row in rows], np.int64)

    def delete_markers(self, epochs: NDArray[np.int64]) -> None:
        """Delete markers; those that are not there are ignored."""
        self.delete(-epochs)

    def shows_marker(self, epoch: int) -> bool:
        """Whether the marker has been written; 0.2 s if searches do not see it yet."""
        marker = np.array([-epoch])
        return bool(len(self.shown(marker)) or len(self.shown(marker, consistency="Strong")))

    def shown(self, seqs: NDArray[np.int64], consistency: str = "Bounded") -> NDArray[np.int64]:
        """Return those seqs that searches see: int64 [N]."""
        found: list[int] = []
        for chunk in _chunks(seqs, _SEQS_AT_ONCE):
            rows = self._connection.ask(
                "query", self._name, ids=chunk, output_fields=["seq"], consistency_level=consistency
            )
            found += [row["seq"] for row in rows]
        return np.array(found, np.int64)

    def count(self, after: int = 0, up_to: int = 2**63 - 1) -> int:
        """Count what is there of seqs in (after, up_to], at this moment; a seq that is there twice counts twice."""
        return int(self._query(after, up_to, ["count(*)"])[0]["count(*)"])

    def entities(self, after: int, up_to: int) -> NDArray[np.int64]:
        """Read which images are there, of seqs in (after, up_to], at this moment.

        Returns:
            int64 [N, 3], by seq: seq, collection key, image; at most ``MAX_TOP_K``.
        """
        numbers = _FIELDS[:-1]
        rows = self._query(after, up_to, numbers, limit=MAX_TOP_K)
        found = np.array([[row[name] for name in numbers] for row in rows], np.int64).reshape(-1, len(numbers))
        return found[np.argsort(found[:, 0])]

    def search(self, key: int, query: NDArray[np.float32], limit: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Find the entities of a collection most similar to ``query``.

        Args:
            key: the collection's.
            query: float32 [D].
            limit: at most so many, up to ``MAX_TOP_K``.

        Returns:
            seqs int64 [K] and similarities float32 [K], descending.
        """
        width = self.options.search_width
        parameters = {"HNSW": {"ef": max(width, limit)}, "IVF_FLAT": {"nprobe": width}}.get(self.options.index, {})
        answer = self._connection.ask(
            "search",
            self._name,
            [query],
            filter=f"collection == {key}",
            limit=limit,
            search_params={"params": parameters},
            consistency_level="Bounded",
        )
        hits = {hit["id"]: hit["distance"] for hit in answer[0]}
        seqs = np.fromiter(hits.keys(), np.int64, len(hits))
        similarities = np.fromiter(hits.values(), np.float32, len(hits))
        order = np.argsort(-similarities, kind="stable")[:limit]
        return seqs[order], similarities[order]

    def close(self) -> None:
        """Close the connection; the next question opens another."""
        self._connection.close()

    def _description(self) -> dict[str, Any]:
        """Read what ``make`` wrote of the collection; empty for one that this program did not make."""
        try:
            return dict(json.loads(self._connection.ask("describe_collection", self._name)["description"]))
        except (ValueError, TypeError, KeyError):
            return {}

    def _insert(self, rows: list[dict[str, Any]]) -> None:
        # Read every time, because another replica may have created the collection again.
        if self._description().get("fields") == _FIELDS_BEFORE_0_2_0:
            rows = [row | {"place": 0} for row in rows]
        self._connection.ask("insert", self._name, rows)

    def _query(self, after: int, up_to: int, output: Sequence[str], **bounds: int) -> list[dict[str, Any]]:
        answer = self._connection.ask(
            "query",
            self._name,
            filter=f"seq > {after} and seq <= {up_to}",
            output_fields=list(output),
            consistency_level="Strong",
            timeout_s=_LONG_TIMEOUT_S,
            **bounds,
        )
        return list(answer)


def _chunks(values: NDArray[np.int64], size: int) -> Iterator[list[int]]:
    for start in range(0, len(values), size):
        yield values[start : start + size].tolist()
