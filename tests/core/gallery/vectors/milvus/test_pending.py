"""Searches of what a vector engine may not show yet do not wait for each other."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np

from core.gallery import Gallery, NewImage, Storage
from core.gallery.database.port import Connection, Rows
from core.gallery.vectors.milvus import outbox
from core.gallery.vectors.milvus.pending import PendingVectors
from core.results import EncoderFingerprint


class Meeting:
    """A connection whose statements wait until as many others have come as the barrier wants."""

    def __init__(self, connection: Connection, barrier: Barrier) -> None:
        self._connection = connection
        self._barrier = barrier

    def execute(self, sql: str, values: Any = (), /) -> Rows:
        self._barrier.wait()
        return self._connection.execute(sql, values)


def test_searches_go_at_the_same_time(
    folder: Path, storage: Storage, fingerprint: EncoderFingerprint, new_image: Callable[..., NewImage]
):
    """Two searches of what is known already ask the database side by side, and both find it."""
    with Gallery.open(folder, fingerprint, storage=storage) as gallery:
        gallery.add([new_image(1)])
        pending = PendingVectors(fingerprint.dim, 10)
        query = new_image(1).embedding
        database = gallery._database
        with database.writing() as connection:
            outbox.ensure_all_keys(connection)
            seq = connection.execute("SELECT seq FROM images").fetchone()[0]
            outbox.put(connection, "upsert", np.array([seq]))
            connection.execute("COMMIT")
        with database.reading() as connection:
            pending.search(connection, "default", query, 1)  # loads
        barrier = Barrier(2, timeout=20)

        def search() -> list[int]:
            with database.reading() as connection:
                return pending.search(Meeting(connection, barrier), "default", query, 1).seqs.tolist()

        with ThreadPoolExecutor(2) as threads:
            found = [future.result() for future in [threads.submit(search) for _ in range(2)]]

    assert found == [[seq], [seq]]
