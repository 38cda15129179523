"""The images that a vector engine may not show yet, searched exactly in this process."""

import logging
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.gallery.database.manifest import read_generation
from core.gallery.database.port import Connection
from core.gallery.vectors.faiss.flat import SharedLock
from core.gallery.vectors.faiss.index import VectorIndex
from core.gallery.vectors.milvus import outbox

_ROWS_PER_PAGE = 4096
_NONE = np.empty(0, np.int64)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What the outbox contributes to a query.

    Attributes:
        generation: of the gallery when this was asked.
        hidden: int64 [H], sorted: seqs of which the engine's answers may be outdated.
        seqs: int64 [K], of the vectors found.
        similarities: float32 [K], descending.
    """

    generation: int
    hidden: NDArray[np.int64]
    seqs: NDArray[np.int64]
    similarities: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    generation: int = -1
    hidden: NDArray[np.int64] = field(default_factory=_NONE.copy)
    upserts: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    is_paged: bool = False


class PendingVectors:
    """The vectors of the outbox, read again when the gallery's generation changes.

    Up to ``rows_in_memory`` vectors are kept in memory. When more are pending, after a bulk build or while the engine
    is down, every search reads those of its collection from the database, page by page: slower, but exact.
    """

    def __init__(self, dim: int, rows_in_memory: int) -> None:
        self._dim = dim
        self._rows_in_memory = rows_in_memory
        self._index = VectorIndex(dim)
        self._view = _View()
        self._lock = SharedLock()

    def invalidate(self) -> None:
        """Make the next search read the outbox again: rows have left it without a change of the gallery."""
        with self._lock.exclusive():
            self._view = _View(-1, self._view.hidden, self._view.upserts, self._view.is_paged)

    def __len__(self) -> int:
        return sum(map(len, self._view.upserts.values()))

    def search(
        self,
        connection: Connection,
        collection: str,
        query: NDArray[np.float32],
        top_k: int,
    ) -> Found:
        """Find the most similar of the vectors that wait at this moment.

        Args:
            connection: outside any transaction.
            collection: where to look.
            query: float32 [D], L2 norm 1.
            top_k: at most so many, >= 1.
        """
        # View and vectors must belong together: a later view neither hides nor holds what has left the outbox.
        with self._lock.shared():
            view = self._view
            is_current = read_generation(connection) == view.generation
            if is_current and not view.is_paged:
                return self._search_memory(collection, query, top_k)
        if not is_current:
            with self._lock.exclusive():
                if read_generation(connection) != self._view.generation:
                    self._refresh(connection)
                view = self._view
                if not view.is_paged:
                    return self._search_memory(collection, query, top_k)
        waiting = view.upserts.get(collection, _NONE)
        return Found(view.generation, view.hidden, *_search_pages(connection, waiting, self._dim, query, top_k))

    def _search_memory(self, collection: str, query: NDArray[np.float32], top_k: int) -> Found:
        view = self._view
        return Found(view.generation, view.hidden, *self._index.search(collection, query, top_k))

    def _refresh(self, connection: Connection) -> None:
        connection.execute("BEGIN")  # one snapshot
        try:
            generation = read_generation(connection)
            hidden = np.sort(np.array([row[0] for row in connection.execute("SELECT seq FROM outbox")], np.int64))
            waiting: dict[str, list[int]] = {}
            for seq, collection in connection.execute(
                "SELECT outbox.seq, images.collection FROM outbox JOIN images USING (seq) WHERE operation = 'upsert'"
            ):
                waiting.setdefault(collection, []).append(seq)
            upserts = {collection: np.sort(np.array(seqs, np.int64)) for collection, seqs in waiting.items()}
            total = sum(map(len, upserts.values()))
            is_paged = total > self._rows_in_memory
            if is_paged:
                if not self._view.is_paged:
                    logger.warning(
                        "%d vectors are pending for the engine: every search reads them from the database", total
                    )
                self._index.clear()
            else:
                self._load(connection, upserts)
            self._view = _View(generation, hidden, upserts, is_paged)
        except BaseException:
            self._index.clear()
            self._view = _View()
            raise
        finally:
            connection.execute("ROLLBACK")

    def _load(self, connection: Connection, upserts: dict[str, NDArray[np.int64]]) -> None:
        for collection, held in self._index.ids().items():
            self._index.remove(np.setdiff1d(held, upserts.get(collection, _NONE)))
        held_now = self._index.ids()
        for collection, seqs in upserts.items():
            missing = np.setdiff1d(seqs, held_now.get(collection, _NONE))
            for entities in outbox.read_entities(connection, missing, self._dim):
                self._index.add(collection, entities.seqs, entities.vectors)


def _search_pages(
    connection: Connection, seqs: NDArray[np.int64], dim: int, query: NDArray[np.float32], top_k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    best = _NONE, np.empty(0, np.float32)
    for start in range(0, len(seqs), _ROWS_PER_PAGE):
        for entities in outbox.read_entities(connection, seqs[start : start + _ROWS_PER_PAGE], dim):
            best = merge(best, (entities.seqs, entities.vectors @ query), top_k)
    return best


def merge(
    one: tuple[NDArray[np.int64], NDArray[np.float32]],
    other: tuple[NDArray[np.int64], NDArray[np.float32]],
    top_k: int,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Join two answers, seqs int64 and similarities float32, into one of at most ``top_k``, descending."""
    seqs, similarities = np.concatenate([one[0], other[0]]), np.concatenate([one[1], other[1]])
    order = np.argsort(-similarities, kind="stable")[:top_k]
    return seqs[order], similarities[order]
