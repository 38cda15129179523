"""Matches and feedback, kept for as long as the operator allows."""

import json
from collections.abc import Sequence

import numpy as np

from core.errors import InvalidRequest, UnknownMatch
from core.gallery.database.pages import check_limit, read_cursor, write_cursor
from core.journal.drift import MatchColumns
from core.journal.match_rows import SELECT, to_match
from core.journal.records import FeedbackVerdict, MatchRecord, QueryFeatures, Retention, StoredMatch
from core.journal.statistics import Period, Statistics, read_statistics
from core.journal.usage_database import UsageDatabase

MOST_MATCHES = 1_000_000
"""SQLite forgets older ones before their time, so that the file stays near 500 MB (480 bytes each, measured)."""

MOST_COMPARED = 100_000
"""So many matches of a collection, the newest, go into a drift report: some 20 MB while they are read, computed."""

_DAY_S = 86_400.0
_NEWEST = "WHERE request_id = ? ORDER BY id DESC LIMIT 1"


class UsageLog:
    """Matches and feedback. Safe for several threads, and for several replicas on one database."""

    def __init__(self, database: UsageDatabase, retention: Retention) -> None:
        """Take the database and the retention.

        Args:
            database: holds them.
            retention: how long they are kept; ``forget`` enforces it.
        """
        self.retention = retention
        self._database = database

    def record(self, matches: Sequence[MatchRecord]) -> None:
        """Store matches, all or none; nothing if retention keeps nothing. Matches that are stored already are skipped.

        Raises:
            GalleryUnavailable: they were not stored.
        """
        if not self.retention.match_days or not matches:
            return
        rows = [
            (
                match.request_id, match.at, match.collection, int(match.matched), match.place_id, match.place_name,
                match.confidence, match.score, match.verification, match.encoder, match.verifier,
                json.dumps(dict(match.evidence), allow_nan=False),
            )
            for match in matches
        ]  # fmt: skip
        with self._database.writing() as connection:
            for row in rows:
                connection.execute(
                    """
                    INSERT INTO matches (request_id, at, collection, matched, place_id, place_name, confidence, score,
                                         verification, encoder, verifier, evidence)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    ON CONFLICT DO NOTHING
                    """,
                    row,
                )

    def find(self, request_id: str) -> StoredMatch:
        """Read the newest match of a request.

        Raises:
            UnknownMatch: there is none, or it was forgotten.
            GalleryUnavailable: the log cannot be read.
        """
        with self._database.reading() as connection:
            row = connection.execute(f"{SELECT} {_NEWEST}", (request_id,)).fetchone()
        if row is None:
            raise UnknownMatch(
                f"no match of request {request_id[:100]!r} is on record; give the request_id of a match of the last "
                f"{self.retention.match_days:g} days"
            )
        return to_match(row)

    def give_feedback(
        self,
        request_id: str,
        verdict: FeedbackVerdict,
        place_id: str | None,
        at: float,
        features: QueryFeatures | None = None,
    ) -> StoredMatch:
        """Store feedback on a match, in place of earlier feedback.

        Args:
            request_id: of the match; the newest of that id.
            verdict: of the visitor.
            place_id: the true place; with ``other_place`` alone.
            at: when, seconds since 1970 UTC.
            features: of the query; kept only as far as retention allows.

        Returns:
            The match with this feedback. It is on the disk.

        Raises:
            UnknownMatch: the match is not stored.
            InvalidRequest: a place is missing, or given where none belongs.
            GalleryUnavailable: nothing was stored.
        """
        if (verdict == "other_place") != (place_id is not None):
            raise InvalidRequest("place_id belongs to the verdict other_place, and to no other; give both or neither")
        self.find(request_id)
        kept = features if self.retention.feature_days else None
        with self._database.writing() as connection:
            row = connection.execute(f"{SELECT} {_NEWEST}", (request_id,)).fetchone()
            if row is not None:  # else it was deleted a moment ago
                connection.execute(
                    """
                    INSERT INTO feedback (match, verdict, place_id, at, embedding, packed) VALUES (?, ?, ?, ?, ?, ?)
                    ON CONFLICT (match) DO UPDATE SET
                        verdict = excluded.verdict, place_id = excluded.place_id, at = excluded.at,
                        embedding = coalesce(excluded.embedding, feedback.embedding),
                        packed = coalesce(excluded.packed, feedback.packed)
                    """,
                    (
                        row[0],
                        verdict,
                        place_id,
                        at,
                        kept.embedding.astype("<f4").tobytes() if kept is not None else None,
                        kept.packed if kept is not None else None,
                    ),
                )
        return self.find(request_id)

    def page(
        self, collection: str, cursor: str | None = None, limit: int = 50, *, commented: bool = False
    ) -> tuple[list[StoredMatch], str | None]:
        """List matches of a collection, newest first.

        Args:
            collection: asked about.
            cursor: of the page before.
            limit: at most so many, [1, 1000].
            commented: only matches with feedback.

        Returns:
            The matches, and the cursor of the next page; None on the last.

        Raises:
            InvalidRequest: bad cursor or limit.
            GalleryUnavailable: the log cannot be read.
        """
        before = read_cursor(cursor, float, int) if cursor is not None else [float("inf"), 0]
        condition = "AND feedback.match IS NOT NULL" if commented else ""
        with self._database.reading() as connection:
            rows = connection.execute(
                f"{SELECT} WHERE collection = ? AND (matches.at, id) < (?, ?) {condition} "
                "ORDER BY matches.at DESC, id DESC LIMIT ?",
                (collection, *before, check_limit(limit) + 1),
            ).fetchall()
        more = len(rows) > limit
        matches = [to_match(row) for row in rows[:limit]]
        return matches, write_cursor(matches[-1].match.at, matches[-1].number) if more else None

    def columns(self, collection: str) -> MatchColumns:
        """Read the newest verified matches that the present models answered, for the drift report.

        The present models are those of the newest verified match. At most ``MOST_COMPARED`` are read.

        Raises:
            GalleryUnavailable: the log cannot be read.
        """
        with self._database.reading() as connection:
            newest = connection.execute(
                "SELECT encoder, verifier FROM matches WHERE collection = ? AND verification = 'done' "
                "ORDER BY at DESC, id DESC LIMIT 1",
                (collection,),
            ).fetchone()
            total = connection.execute("SELECT count(*) FROM matches WHERE collection = ?", (collection,)).fetchone()[0]
            rows = connection.execute(
                """
                SELECT matches.at, matched, score,
                       CASE WHEN matched = 0 OR verdict IS NULL THEN -1
                            WHEN verdict = 'right' THEN 1
                            WHEN verdict = 'other_place' AND feedback.place_id = matches.place_id THEN 1
                            ELSE 0
                       END
                FROM matches LEFT JOIN feedback ON feedback.match = matches.id
                WHERE collection = ? AND verification = 'done' AND (encoder, verifier) = (?, ?)
                ORDER BY matches.at DESC, id DESC LIMIT ?
                """,
                (collection, *(newest or ("", "")), MOST_COMPARED),
            ).fetchall()
        table = np.array(rows, np.float64).reshape(len(rows), 4)[::-1]
        return MatchColumns(
            at=table[:, 0],
            matched=table[:, 1].astype(np.bool_),
            score=table[:, 2],
            right=table[:, 3].astype(np.int8),
            left_out=total - len(rows),
            encoder=newest[0] if newest else None,
            verifier=newest[1] if newest else None,
        )

    def statistics(self, collection: str, period: Period) -> Statistics:
        """Count the questions to a collection in a period.

        Raises:
            GalleryUnavailable: the log cannot be read.
        """
        with self._database.reading() as connection:
            return read_statistics(connection, collection, period)

    def forget(self, now: float) -> int:
        """Delete what is older than the retention; in SQLite the bytes are overwritten as well.

        Args:
            now: seconds since 1970 UTC.

        Returns:
            How many matches were deleted.

        Raises:
            GalleryUnavailable: nothing was deleted.
        """
        if not self._database.exists():
            return 0
        with self._database.writing(overwriting=True) as connection:
            connection.execute(
                "UPDATE feedback SET embedding = NULL, packed = NULL WHERE at < ?",
                (now - self.retention.feature_days * _DAY_S,),
            )
            condition = "at < ?"
            too_old = [now - self.retention.match_days * _DAY_S]
            if self._database.is_file:
                condition += " OR id <= (SELECT max(id) FROM matches) - ?"
                too_old.append(MOST_MATCHES)
            forgotten: int = connection.execute(f"SELECT count(*) FROM matches WHERE {condition}", too_old).fetchone()[
                0
            ]
            connection.execute(f"DELETE FROM matches WHERE {condition}", too_old)
        return forgotten

    def rename_collection(self, name: str, new_name: str, *, keeping: bool = False) -> None:
        """Let the matches of a collection be those of another name.

        Args:
            name: of the collection so far.
            new_name: from now on.
            keeping: keep records that have the new name already; else they are deleted.

        Raises:
            GalleryUnavailable: nothing was changed.
        """
        if not self._database.exists():
            return
        with self._database.writing(overwriting=True) as connection:
            if not keeping:
                connection.execute("DELETE FROM matches WHERE collection = ?", (new_name,))
            connection.execute("UPDATE matches SET collection = ? WHERE collection = ?", (new_name, name))

    def forget_collection(self, name: str) -> None:
        """Delete all matches of a collection.

        Raises:
            GalleryUnavailable: nothing was deleted.
        """
        if not self._database.exists():
            return
        with self._database.writing(overwriting=True) as connection:
            connection.execute("DELETE FROM matches WHERE collection = ?", (name,))
