"""Matches and feedback kept, found, and forgotten in time."""

from pathlib import Path

import numpy as np
import pytest
from databases import on_both_databases

from core.errors import GalleryUnavailable, InvalidRequest, UnknownMatch
from core.gallery import Storage
from core.journal import MatchRecord, QueryFeatures, Retention, UsageDatabase, UsageLog
from core.journal import usage_log as module
from core.journal.usage_database import USAGE_NAME

DAY = 86_400.0
NOW = 1_700_000_000.0


def a_match(request_id: str = "r1", at: float = NOW, **fields) -> MatchRecord:
    """A verified match of the gate."""
    given = {
        "collection": "default", "matched": True, "place_id": "gate", "place_name": "Gate", "confidence": 0.9,
        "score": 0.9, "verification": "done", "encoder": "e", "verifier": "v", "evidence": {"similarity": 0.5},
    }  # fmt: skip
    return MatchRecord(request_id=request_id, at=at, **{**given, **fields})


FEATURES = QueryFeatures(np.array([0.6, 0.8], np.float32), b"packed")


@pytest.fixture
def log(database: UsageDatabase) -> UsageLog:
    """A log that keeps matches for 100 days and features for 10."""
    return UsageLog(database, Retention(match_days=100, feature_days=10))


def kept_features(database: UsageDatabase) -> list[tuple[bytes | None, bytes | None]]:
    """Embedding and local features of each feedback."""
    with database.reading() as connection:
        return [tuple(row) for row in connection.execute("SELECT embedding, packed FROM feedback").fetchall()]


@on_both_databases
def test_a_match_comes_back_as_it_was_kept(log: UsageLog):
    """Nothing of a match's numbers is lost or changed."""
    log.record([a_match(), a_match("r2", matched=False, place_id=None, place_name=None, verifier=None, evidence={})])

    assert log.find("r1").match == a_match()
    assert log.find("r2").match.place_id is None
    assert log.find("r1").feedback is None


@on_both_databases
def test_a_request_id_used_twice_means_the_newer_match(log: UsageLog):
    """Callers may choose ids; the latest match of an id is the one talked about, and none is overwritten."""
    log.record([a_match(), a_match(at=NOW + 1, place_id="tower")])

    assert log.give_feedback("r1", "right", None, NOW + 2).match.place_id == "tower"
    assert [stored.feedback is None for stored in log.page("default")[0]] == [False, True]


@on_both_databases
def test_feedback_needs_a_match(log: UsageLog):
    """Nobody can write into the log about matches that never were."""
    with pytest.raises(UnknownMatch, match="'r9'"):
        log.give_feedback("r9", "right", None, NOW)


@pytest.mark.parametrize(("verdict", "place_id"), [("other_place", None), ("right", "gate"), ("wrong", "gate")])
def test_a_place_belongs_to_other_place_alone(log: UsageLog, verdict, place_id):
    """A verdict that contradicts itself is refused."""
    log.record([a_match()])

    with pytest.raises(InvalidRequest, match="place_id"):
        log.give_feedback("r1", verdict, place_id, NOW)


@on_both_databases
def test_the_last_word_counts(log: UsageLog):
    """Feedback given twice replaces the first, and keeps the features that came with it."""
    log.record([a_match()])
    log.give_feedback("r1", "wrong", None, NOW, FEATURES)

    said = log.give_feedback("r1", "other_place", "tower", NOW + 1).feedback

    assert (said.verdict, said.place_id, said.at, said.has_features) == ("other_place", "tower", NOW + 1, True)


@on_both_databases
def test_features_are_kept_only_where_allowed(database: UsageDatabase):
    """Without a retention for features, none reach the disk."""
    log = UsageLog(database, Retention(match_days=100))
    log.record([a_match()])

    said = log.give_feedback("r1", "right", None, NOW, FEATURES).feedback

    assert not said.has_features
    assert kept_features(database) == [(None, None)]


@on_both_databases
def test_features_are_forgotten_before_numbers(log: UsageLog, database: UsageDatabase):
    """After their days, features go and the feedback's numbers stay; after theirs, the match goes with all of it."""
    log.record([a_match()])
    log.give_feedback("r1", "right", None, NOW, FEATURES)
    assert kept_features(database) == [(FEATURES.embedding.tobytes(), b"packed")]

    assert log.forget(NOW + 11 * DAY) == 0
    assert kept_features(database) == [(None, None)]
    assert log.find("r1").feedback.verdict == "right"

    assert log.forget(NOW + 101 * DAY) == 1
    assert kept_features(database) == []
    with pytest.raises(UnknownMatch):
        log.find("r1")


def test_forgotten_features_leave_no_bytes_behind(log: UsageLog, tmp_path: Path):
    """What is forgotten is overwritten in all files of a log that is in use, not only unlinked."""
    secret = b"a visitor's photo, described " * 400
    log.record([a_match()])
    log.give_feedback("r1", "right", None, NOW, QueryFeatures(FEATURES.embedding, secret))
    assert secret[:29] in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    log.forget(NOW + 11 * DAY)

    assert secret[:29] not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_the_log_is_bounded(log: UsageLog, monkeypatch):
    """However many matches there are, only the newest so many are kept beside a gallery on one machine."""
    monkeypatch.setattr(module, "MOST_MATCHES", 3)
    log.record([a_match(f"r{number}", NOW + number) for number in range(5)])

    assert log.forget(NOW + 5) == 2
    assert [stored.match.request_id for stored in log.page("default")[0]] == ["r4", "r3", "r2"]


@pytest.mark.parametrize("storage", ["postgres"], indirect=True)
def test_a_database_of_many_museums_is_bounded_by_days_alone(log: UsageLog, monkeypatch):
    """In PostgreSQL all matches are kept for as long as the operator says."""
    monkeypatch.setattr(module, "MOST_MATCHES", 3)
    log.record([a_match(f"r{number}", NOW + number * DAY) for number in range(5)])

    assert log.forget(NOW + 5) == 0
    assert log.forget(NOW + 100 * DAY + 1) == 1


def test_keeping_nothing_keeps_nothing(database: UsageDatabase):
    """Zero days means that no match is written down at all."""
    log = UsageLog(database, Retention(match_days=0))
    log.record([a_match()])

    assert log.page("default") == ([], None)


@on_both_databases
def test_pages_join_without_gap_or_overlap(log: UsageLog):
    """Newest first, page by page, each match once, even where several have one time."""
    log.record([a_match(f"r{number}", NOW + number // 3) for number in range(10)])
    log.record([a_match("elsewhere", collection="other")])
    seen, cursor = [], None
    while True:
        matches, cursor = log.page("default", cursor, 4)
        seen += [stored.match.request_id for stored in matches]
        if cursor is None:
            break

    assert seen == [f"r{number}" for number in range(9, -1, -1)]


@on_both_databases
def test_only_commented_matches_on_request(log: UsageLog):
    """Labels can be listed without all the matches between them."""
    log.record([a_match("r1"), a_match("r2")])
    log.give_feedback("r2", "not_in_collection", None, NOW)

    assert [stored.match.request_id for stored in log.page("default", commented=True)[0]] == ["r2"]


@on_both_databases
def test_columns_hold_one_pair_of_models(log: UsageLog):
    """The drift report sees verified matches of the present models only, and how many others there were."""
    log.record([a_match("old", NOW - 1, verifier="former"), a_match("r1"), a_match("r2", NOW + 1, matched=False)])
    log.record([a_match("r3", NOW + 2, verification="unavailable", verifier=None), a_match("r4", NOW + 3)])
    log.give_feedback("r1", "other_place", "gate", NOW)
    log.give_feedback("r2", "right", None, NOW)
    log.give_feedback("r4", "not_in_collection", None, NOW)

    columns = log.columns("default")

    assert columns.left_out == 2
    assert columns.right.tolist() == [1, -1, 0]  # naming the place that was given says that it was right
    assert columns.matched.tolist() == [True, False, True]


@on_both_databases
def test_columns_hold_the_newest_matches_only(log: UsageLog, monkeypatch: pytest.MonkeyPatch):
    """However many are kept, a report reads a bounded number of them, oldest first, and counts the rest as left out."""
    monkeypatch.setattr(module, "MOST_COMPARED", 3)
    log.record([a_match(f"r{number}", NOW + number, score=number / 10) for number in (4, 0, 2, 1, 3)])

    columns = log.columns("default")

    assert columns.at.tolist() == [NOW + 2, NOW + 3, NOW + 4]
    assert columns.score.tolist() == [0.2, 0.3, 0.4]
    assert columns.left_out == 2


def test_a_damaged_log_says_that_it_may_be_deleted(tmp_path: Path, log: UsageLog):
    """A log that cannot be used names itself, so that nobody restores the gallery for it."""
    (tmp_path / USAGE_NAME).write_bytes(b"no database" * 100)

    with pytest.raises(GalleryUnavailable, match=USAGE_NAME):
        log.record([a_match()])


def test_a_server_that_is_away_is_not_the_gallerys_fault(tmp_path: Path):
    """Where PostgreSQL does not answer, the error names the schema of the log."""
    away = UsageDatabase(tmp_path, Storage(database_url="postgresql://127.0.0.1:1/nowhere"))

    with pytest.raises(GalleryUnavailable, match=r"PostgreSQL's schema usage.*does not answer"):
        UsageLog(away, Retention()).record([a_match()])


@on_both_databases
def test_several_processes_share_one_log(log: UsageLog, tmp_path: Path, storage: Storage):
    """What one replica records, another finds at once, and the first what was said of it there."""
    other = UsageDatabase(tmp_path, storage)
    log.record([a_match()])
    UsageLog(other, Retention()).give_feedback("r1", "right", None, NOW)

    assert log.find("r1").feedback.verdict == "right"
    other.close()


@on_both_databases
def test_a_match_recorded_twice_is_kept_once(log: UsageLog):
    """A record sent again after a broken connection counts once."""
    log.record([a_match()])
    log.record([a_match(), a_match("r2")])

    assert len(log.page("default")[0]) == 2


@on_both_databases
def test_forgetting_makes_no_log(log: UsageLog, database: UsageDatabase):
    """Where nothing was kept, nothing is made in order to forget it."""
    assert log.forget(NOW) == 0
    assert not database.exists()


@on_both_databases
def test_matches_follow_their_collection(log: UsageLog):
    """Renamed with it, in place of what was there under the new name, and deleted with it."""
    log.record([a_match("r1"), a_match("r2", collection="other")])
    log.rename_collection("default", "other")
    assert [stored.match.request_id for stored in log.page("other")[0]] == ["r1"]

    log.forget_collection("other")
    assert log.page("other") == ([], None)
