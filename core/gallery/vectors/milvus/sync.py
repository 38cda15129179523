"""The thread that keeps Milvus in sync with the gallery: it delivers the outbox and repairs what has been lost.

A row of the outbox goes through three stages. Any replica may claim it for the next stage:

1. deliver: the row was written with the change itself; the thread, which is woken at once, sends the change.
2. confirm: ``staleness_s`` later every search of Milvus sees what was delivered. Milvus is asked whether it shows the
   vector (or no longer shows the deleted one), and a new marker is written.
3. commit the epoch: once Milvus shows that marker too, the row is removed and the marker becomes the gallery's epoch,
   in one transaction.

So whatever is no longer in the outbox is older than the marker of the epoch. A Milvus that has been emptied or restored
from an older backup does not show this marker, and is not searched until ``reconciliation`` has compared everything.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Lock, Thread

import numpy as np
from numpy.typing import NDArray

from core.errors import GalleryUnavailable, SemanticMatchError
from core.gallery.database.port import Database
from core.gallery.vectors.milvus import outbox
from core.gallery.vectors.milvus.collection import MilvusCollection
from core.gallery.vectors.milvus.outbox import Engine, OutboxState, Task
from core.gallery.vectors.milvus.reconciliation import counts_agree, new_epoch, reconcile, repair
from core.gallery.vectors.port import Lag

TRUST_S = 1.0
"""How long a search relies on the last look at the marker; much less than a server takes to restart."""

_COMPARING = "its vectors are being compared with the gallery's, until when it is not searched"
_LOOK_EVERY_S = 5.0
_LOOK_AGAIN_S = 0.5
_COUNT_EVERY_S = 60.0
_DELIVERED_AT_ONCE = 1000
_DELIVERIES_AT_ONCE = 10
_SEEN_AT_ONCE = 50_000
_LONGEST_BACKOFF_S = 5.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Confirmation:
    tasks: Sequence[Task]
    former_epoch: int
    epoch: int
    ready_at: float


class MilvusSync:
    """Owns the thread. Every replica has one; they share the work, and doing it twice is harmless.

    Attributes:
        lag: as the thread last found it.
    """

    def __init__(
        self, database: Database, milvus: MilvusCollection, dim: int, on_shortened: Callable[[], object]
    ) -> None:
        """Take the database and Milvus; ``on_shortened`` is called when rows have left the outbox."""
        self.lag = Lag()
        self._on_shortened = on_shortened
        self._database = database
        self._milvus = milvus
        self._dim = dim
        self._staleness_s = milvus.options.staleness_s
        self._lease_s = 10 * milvus.options.timeout_s + 2 * self._staleness_s
        self._confirmation: _Confirmation | None = None
        self._counted_at = time.monotonic()
        self._wakeup, self._closing = Event(), Event()
        self._turn, self._starting = Lock(), Lock()
        self._thread = Thread(target=self._run, name="milvus-sync", daemon=True)

    def start(self) -> None:
        """Begin, unless it has begun or been closed."""
        with self._starting:
            if self._thread.ident is None and not self._closing.is_set():
                self._thread.start()

    def wake(self) -> None:
        """Run the thread now: the outbox has new rows, or Milvus must be compared."""
        self._wakeup.set()

    def close(self) -> None:
        """End the thread after its current step; the rest of the outbox is delivered after the next start."""
        with self._starting:
            self._closing.set()
        self._wakeup.set()
        if self._thread.is_alive():
            self._thread.join()

    def note(self, trouble: str) -> None:
        """Set ``lag`` to why Milvus is not in sync; empty: it is again."""
        waiting = self.lag.waiting
        with suppress(GalleryUnavailable), self._database.reading() as connection:
            waiting = outbox.count(connection)
        self.lag = Lag(waiting, trouble)

    def reconcile(self, judged: Engine | None) -> bool:
        """Compare everything and repair, unless another replica does; see ``reconciliation``.

        Raises:
            EncoderMismatch: the collection in Milvus is another encoder's.
            InvalidRequest: it is another gallery's.
            GalleryUnavailable: Milvus or the database cannot be used.
        """
        with self._turn:
            self.note(_COMPARING)
            # Twice, because a search that began at the end of one span ends in the next.
            is_done = reconcile(self._database, self._milvus, judged, lambda: self._closing.wait(2 * TRUST_S))
            if is_done:
                self._confirmation = None
                self.note("")
        return is_done

    def run_once(self) -> float:
        """Run all stages that are due.

        Returns:
            In how many seconds another stage may be due.

        Raises:
            EncoderMismatch: the collection in Milvus is another encoder's.
            InvalidRequest: it is another gallery's.
            GalleryUnavailable: Milvus or the database cannot be used.
        """
        with self._database.reading() as connection:
            engine = outbox.read_engine(connection)
        if engine is not None and engine.is_compared(time.time()):
            self.note(_COMPARING)
            return _LOOK_AGAIN_S
        if not self._is_followed(engine):
            if not self.reconcile(engine):
                return _LOOK_AGAIN_S
        elif not self._counts_agree():
            # Its marker proves that it was not reset: it is trusted meanwhile, except for the differences found.
            with self._turn:
                repair(self._database, self._milvus)
        with self._turn:
            for _ in range(_DELIVERIES_AT_ONCE):
                if not self._deliver():
                    break
            self._confirm()
            self._commit_epoch()
            with self._database.reading() as connection:
                due = outbox.next_due(connection)
                self.lag = Lag(outbox.count(connection))
        dues = [time.time() + _LOOK_EVERY_S]
        dues += [due] if due is not None else []
        dues += [self._confirmation.ready_at] if self._confirmation else []
        return max(0.01, min(dues) - time.time())

    def _run(self) -> None:
        backoff_s = 0.5
        while not self._closing.is_set():
            self._wakeup.clear()
            try:
                pause_s, backoff_s = self.run_once(), 0.5
            except Exception as exc:
                if self._closing.is_set():
                    return
                # The thread must survive every error: no other one delivers the outbox of this process.
                is_known = isinstance(exc, SemanticMatchError)
                self.note(str(exc) if is_known else "an error of its own: see this process's log")
                logger.log(
                    logging.WARNING if is_known else logging.ERROR,
                    "the vector engine is not up to date, trying again in %.1f s: %s",
                    backoff_s,
                    exc,
                    exc_info=not is_known,
                )
                self._counted_at = -_COUNT_EVERY_S  # count first after a failure
                # New images do not wake it: they wait with the others.
                self._closing.wait(backoff_s)
                pause_s, backoff_s = 0.0, min(2 * backoff_s, _LONGEST_BACKOFF_S)
            if pause_s:
                self._wakeup.wait(pause_s)

    def _is_followed(self, engine: Engine | None) -> bool:
        """Whether Milvus shows the epoch's marker, and every change has gone through the outbox."""
        exists = self._milvus.exists()  # first: raises if Milvus is down
        if engine is None or not engine.follows or engine.name != self._milvus.options.collection:
            return False
        return exists and self._milvus.shows_marker(engine.epoch)

    def _counts_agree(self) -> bool:
        """Whether Milvus holds as many images as it should, counted now and then; an unknown count is repeated soon."""
        if time.monotonic() < self._counted_at + _COUNT_EVERY_S:
            return True
        agree = counts_agree(self._database, self._milvus)
        self._counted_at = time.monotonic() - (_COUNT_EVERY_S - _LOOK_EVERY_S if agree is None else 0)
        return agree is not False

    def _deliver(self) -> bool:
        """Send some rows to Milvus; return whether there may be more."""
        tasks = self._claim(state=OutboxState.WRITTEN, limit=_DELIVERED_AT_ONCE)
        if not tasks:
            return False
        written = [np.empty(0, np.int64)]
        with self._releasing_on_failure(tasks, state=OutboxState.WRITTEN):
            with self._database.reading() as connection:
                for entities in outbox.read_entities(connection, _seqs(tasks, "upsert"), self._dim):
                    self._milvus.replace(entities)
                    written.append(entities.seqs)
            self._milvus.delete(_seqs(tasks, "delete"))
        self._mark(tasks, state=OutboxState.DELIVERED, due_in_s=self._staleness_s)
        gone = np.setdiff1d(_seqs(tasks, "upsert"), np.concatenate(written))
        if len(gone):
            self._forget(gone)
        return len(tasks) == _DELIVERED_AT_ONCE and not self._closing.is_set()

    def _forget(self, seqs: NDArray[np.int64]) -> None:
        """Delete vectors whose images were deleted while the gallery was used without Milvus."""
        with self._database.writing() as connection:
            outbox.put_repairs(connection, np.empty(0, np.int64), seqs)
            connection.execute("COMMIT")

    def _confirm(self) -> None:
        """Ask whether Milvus shows what was delivered, and write the marker that follows it."""
        if self._confirmation is not None:
            return
        with self._database.reading() as connection:
            engine = outbox.read_engine(connection)
        tasks = self._claim(state=OutboxState.DELIVERED, limit=_SEEN_AT_ONCE)
        if not tasks or engine is None:
            return
        epoch = new_epoch()
        with self._releasing_on_failure(tasks, state=OutboxState.DELIVERED):
            shown = set(self._milvus.shown(_seqs(tasks, "upsert", "delete")).tolist())
            done = [task for task in tasks if (task.seq in shown) == (task.operation == "upsert")]
            if done:
                self._milvus.write_marker(epoch)
        lost = [task for task in tasks if (task.seq in shown) != (task.operation == "upsert")]
        if lost:
            logger.warning("the vector engine does not show %d changes that it was sent; sending them again", len(lost))
            self._mark(lost, state=OutboxState.WRITTEN, due_in_s=0)
        if done:
            self._confirmation = _Confirmation(done, engine.epoch, epoch, time.time() + self._staleness_s)

    def _commit_epoch(self) -> None:
        """Remove confirmed rows once Milvus shows the marker that was written after them."""
        confirmation = self._confirmation
        if confirmation is None or time.time() < confirmation.ready_at:
            return
        self._confirmation = None
        with self._releasing_on_failure(confirmation.tasks, state=OutboxState.DELIVERED):
            with self._database.reading() as connection:
                engine = outbox.read_engine(connection)
            is_first = engine is not None and engine.epoch == confirmation.former_epoch
            if is_first and not self._milvus.shows_marker(confirmation.epoch):
                raise GalleryUnavailable("the vector engine does not show what it was sent")
            # Read before the commit below: a marker written later may be needed.
            earlier = self._milvus.markers() if is_first else np.empty(0, np.int64)
        with self._database.writing() as connection:
            engine = outbox.read_engine(connection)
            if not is_first or engine is None or engine.epoch != confirmation.former_epoch:
                # Another replica was faster, or has begun to compare: this marker proves nothing.
                outbox.mark(connection, confirmation.tasks, state=OutboxState.DELIVERED, due_at=0)
                connection.execute("COMMIT")
                return
            outbox.remove(connection, confirmation.tasks)
            outbox.write_epoch(connection, confirmation.epoch)
            connection.execute("COMMIT")
        self._on_shortened()
        # Including markers that races and failures have left.
        self._milvus.delete_markers(earlier[earlier != confirmation.epoch])

    def _claim(self, *, state: OutboxState, limit: int) -> list[Task]:
        now = time.time()
        with self._database.reading() as connection:  # without the write lock: usually there is nothing to do
            if not outbox.has_due(connection, state=state, now=now):
                return []
        with self._database.writing() as connection:
            tasks = outbox.claim(connection, state=state, now=now, until=now + self._lease_s, limit=limit)
            connection.execute("COMMIT")
        return tasks

    @contextmanager
    def _releasing_on_failure(self, tasks: Sequence[Task], *, state: OutboxState) -> Iterator[None]:
        """Release claimed rows if the block fails, for any replica to claim again."""
        try:
            yield
        except Exception:
            self._mark(tasks, state=state, due_in_s=0)
            raise

    def _mark(self, tasks: Sequence[Task], *, state: OutboxState, due_in_s: float) -> None:
        with self._database.writing() as connection:
            outbox.mark(connection, tasks, state=state, due_at=time.time() + due_in_s)
            connection.execute("COMMIT")


def _seqs(tasks: Sequence[Task], *operations: str) -> NDArray[np.int64]:
    return np.array([task.seq for task in tasks if task.operation in operations], np.int64)
