"""Milvus' collection in memory, without its delay, so that what its server does in between can be chosen."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.gallery import Storage
from core.gallery.vectors.milvus import store as milvus_store
from core.gallery.vectors.milvus.outbox import Entities


class FakeServer:
    """What all replicas see.

    Attributes:
        rows: by seq, what is known of an image, its vector last.
        epochs: of the markers.
        written: how many markers have been.
        before: called when a method of that name begins.
    """

    def __init__(self) -> None:
        self.is_made = False
        self.rows: dict[int, list[Any]] = {}
        self.epochs: set[int] = set()
        self.written = 0
        self.before: dict[str, Callable[[], object]] = {}

    def install(self, monkeypatch: pytest.MonkeyPatch, **options: object) -> Storage:
        """Take the place of the server of every gallery opened from now on; return what to open one with."""
        options = {"uri": "http://127.0.0.1:1", "staleness_s": 0.05, **options}
        monkeypatch.setattr(milvus_store, "MilvusCollection", lambda given, _: FakeMilvus(self, given))
        return Storage(vector_index="milvus", vector_index_options={**options})

    def lose_everything(self) -> None:
        """As a server does that has been put back to its first day."""
        self.rows.clear()
        self.epochs.clear()


class FakeMilvus:
    """See ``core.gallery.vectors.milvus.collection.MilvusCollection``."""

    def __init__(self, server: FakeServer, options: object) -> None:
        self.options = options
        self._server = server

    def exists(self) -> bool:
        self._begin("exists")
        return self._server.is_made

    def make(self, gallery: str) -> None:
        self._server.is_made = True

    def load(self, gallery: str) -> None:
        pass

    def replace(self, entities: Entities) -> None:
        self._begin("replace")
        numbers = entities.seqs, entities.keys, entities.images
        columns = [*(column.tolist() for column in numbers), entities.vectors]
        self._server.rows.update((seq, row) for seq, *row in zip(*columns, strict=True))

    def delete(self, seqs: NDArray[np.int64]) -> None:
        self._begin("delete")
        for seq in seqs.tolist():
            self._server.rows.pop(seq, None)

    def write_marker(self, epoch: int) -> None:
        self._server.epochs.add(epoch)
        self._server.written += 1

    def markers(self) -> NDArray[np.int64]:
        return np.array(sorted(self._server.epochs), np.int64)

    def delete_markers(self, epochs: NDArray[np.int64]) -> None:
        self._server.epochs.difference_update(epochs.tolist())

    def shows_marker(self, epoch: int) -> bool:
        self._begin("shows_marker")
        return epoch in self._server.epochs

    def shown(self, seqs: NDArray[np.int64], consistency: str = "Bounded") -> NDArray[np.int64]:
        return np.array([seq for seq in seqs.tolist() if seq in self._server.rows], np.int64)

    def count(self, after: int = 0, up_to: int = 2**63 - 1) -> int:
        return sum(after < seq <= up_to for seq in list(self._server.rows))

    def entities(self, after: int, up_to: int) -> NDArray[np.int64]:
        self._begin("entities")
        rows = sorted((seq, *row[:-1]) for seq, row in list(self._server.rows.items()) if after < seq <= up_to)
        return np.array(rows, np.int64).reshape(-1, 3)

    def search(self, key: int, query: NDArray[np.float32], limit: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        self._begin("search")
        hits = [(float(row[-1] @ query), seq) for seq, row in list(self._server.rows.items()) if row[0] == key]
        best = sorted(hits, reverse=True)[:limit]
        return np.array([seq for _, seq in best], np.int64), np.array([entity for entity, _ in best], np.float32)

    def close(self) -> None:
        pass

    def _begin(self, method: str) -> None:
        self._server.before.get(method, lambda: None)()
