"""The tables of matches and feedback, version 1.

matches.at          seconds since 1970 UTC
matches.evidence    JSON object of numbers
feedback.match      the match it is about; the latest counts
feedback.embedding  little-endian float32 [D] of the query, and ``packed`` its local features; NULL unless the
                    operator allows them to be kept, and NULL again after the days allowed
"""

import json
from collections.abc import Sequence
from typing import Any

from core.gallery.database.port import Connection, Dialect
from core.journal.records import GivenFeedback, MatchRecord, StoredMatch

COLUMNS = """
    id, request_id, matches.at, collection, matched, matches.place_id, place_name, confidence, score, verification,
    encoder, verifier, evidence, verdict, feedback.place_id, feedback.at, embedding IS NOT NULL
"""
SELECT = f"SELECT {COLUMNS} FROM matches LEFT JOIN feedback ON feedback.match = matches.id"


def m001_matches(connection: Connection, dialect: Dialect) -> None:
    """Create both tables."""
    for statement in (
        f"""
        CREATE TABLE matches (
            id {dialect.growing_id},
            request_id {dialect.text} NOT NULL,
            at {dialect.real} NOT NULL,
            collection {dialect.text} NOT NULL,
            matched {dialect.integer} NOT NULL,
            place_id {dialect.text},
            place_name {dialect.text},
            confidence {dialect.real} NOT NULL,
            score {dialect.real} NOT NULL,
            verification {dialect.text} NOT NULL,
            encoder {dialect.text} NOT NULL,
            verifier {dialect.text},
            evidence {dialect.text} NOT NULL
        )
        """,
        "CREATE UNIQUE INDEX matches_by_request ON matches (request_id, at)",
        "CREATE INDEX matches_by_time ON matches (collection, at)",
        f"""
        CREATE TABLE feedback (
            match {dialect.integer} PRIMARY KEY REFERENCES matches (id) ON DELETE CASCADE,
            verdict {dialect.text} NOT NULL,
            place_id {dialect.text},
            at {dialect.real} NOT NULL,
            embedding {dialect.blob},
            packed {dialect.blob}
        )
        """,
    ):
        connection.execute(statement)


def to_match(row: Sequence[Any]) -> StoredMatch:
    """Build a match from a row of ``COLUMNS``."""
    number, request_id, at, collection, matched, place_id, place_name, confidence, score = row[:9]
    verification, encoder, verifier, evidence, verdict, true_place, said_at, has_features = row[9:]
    match = MatchRecord(
        request_id, at, collection, bool(matched), place_id, place_name, confidence, score, verification, encoder,
        verifier, json.loads(evidence),
    )  # fmt: skip
    feedback = GivenFeedback(verdict, true_place, said_at, bool(has_features)) if verdict is not None else None
    return StoredMatch(number, match, feedback)
