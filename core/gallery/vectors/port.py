"""What finds the nearest embeddings among those that the database holds, whichever engine does it."""

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
    """A collection that is called something else, which held nothing before."""

    name: str
    new_name: str


VectorChange = Added | Removed | Renamed


@dataclass(frozen=True, slots=True)
class Lag:
    """How far an engine is behind the database, when this process last looked.

    Attributes:
        waiting: images whose last change it does not surely show; its answers are corrected by these.
        trouble: why it could not be led after the database; empty when it could.
    """

    waiting: int = 0
    trouble: str = ""


class VectorStore(Protocol):
    """Vectors by collection, in step with the database, whoever changes that: this process or another one."""

    @property
    def lag(self) -> Lag | None:
        """Of an engine that this process leads; None where it leads none."""

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
        """Load what is missing, which the first search would do otherwise.

        Args:
            connection: outside any transaction.
        """

    def commit(self, connection: Connection, generation: int, changes: Sequence[VectorChange]) -> None:
        """Commit the caller's transaction, and follow.

        Args:
            connection: the writing one, inside the transaction.
            generation: what the transaction makes it.
            changes: what it has changed of the vectors, in this order.
        """

    def close(self) -> None:
        """Let go of whatever is held; closing twice is fine."""
