"""The port to the vector store, which finds the nearest embeddings among those in the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.gallery.database.port import Connection


@dataclass(frozen=True, slots=True, eq=False)
class Added:
    """New vectors of a collection: seqs int64 [N] and embeddings float32 [N, D], each row of L2 norm 1."""

    collection: str
    seqs: NDArray[np.int64]
    embeddings: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Removed:
    """Vectors that are gone: seqs int64 [N]."""

    seqs: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Renamed:
    """A collection with a new name, under which there was nothing before."""

    name: str
    new_name: str


VectorChange = Added | Removed | Renamed


@dataclass(frozen=True, slots=True)
class Lag:
    """How far an engine is behind the database, when this process last looked.

    Attributes:
        waiting: images whose last change the engine may not show yet; its answers are corrected by them.
        trouble: why it cannot be kept in sync; empty if it can.
    """

    waiting: int = 0
    trouble: str = ""


class VectorStore(Protocol):
    """Vectors by collection, kept in step with the database, which this process or others change."""

    @property
    def lag(self) -> Lag | None:
        """Of the engine that this process keeps in sync; None if there is none."""

    def search(
        self,
        connection: Connection,
        collection: str,
        query: NDArray[np.float32],
        top_k: int,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Find the vectors most similar to ``query`` among those committed at this moment.

        Args:
            connection: outside any transaction.
            collection: where to look; an unknown one holds nothing.
            query: float32 [D], L2 norm 1.
            top_k: at most so many, >= 1.

        Returns:
            seqs int64 [K] and cosine similarities float32 [K], descending. A seq deleted meanwhile may be among them.

        Raises:
            GalleryUnavailable: the vectors cannot be searched, or not all of them.
        """

    def catch_up(self, connection: Connection) -> None:
        """Load what is missing; otherwise the first search does it.

        Args:
            connection: outside any transaction.
        """

    def commit(self, connection: Connection, generation: int, changes: Sequence[VectorChange]) -> None:
        """Commit the caller's transaction and apply its changes to the vectors.

        Args:
            connection: the writing one, inside the transaction.
            generation: what the transaction makes it.
            changes: what it has changed of the vectors, in this order.
        """

    def close(self) -> None:
        """Release all resources; closing twice is fine."""
