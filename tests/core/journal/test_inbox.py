"""Visitors' photos kept, found, bounded, and deleted in time."""

from pathlib import Path

import pytest
from databases import on_both_databases

from core.errors import InvalidRequest, UnknownInboxPhoto
from core.journal import Inbox, MatchRecord, Retention, StoredMatch, UsageDatabase, UsageLog
from core.journal import inbox as module

DAY = 86_400.0
NOW = 1_700_000_000.0
KEPT = Retention(match_days=100, inbox_days=14)


@pytest.fixture
def log(database: UsageDatabase) -> UsageLog:
    """A log that keeps matches for 100 days."""
    return UsageLog(database, KEPT)


@pytest.fixture
def inbox(database: UsageDatabase) -> Inbox:
    """An inbox that keeps photos for 14 days."""
    return Inbox(database, KEPT)


def answered(
    log: UsageLog, request_id: str = "r1", *, matched: bool = False, collection: str = "default"
) -> StoredMatch:
    """A match on record; not recognised unless ``matched``."""
    log.record(
        [
            MatchRecord(
                request_id=request_id, at=NOW, collection=collection, matched=matched, place_id="gate",
                place_name="Gate", confidence=0.4, score=0.4, verification="done", encoder="e", verifier="v",
            )
        ]
    )  # fmt: skip
    return log.find(request_id)


@on_both_databases
def test_a_photo_comes_back_with_the_match_it_was_sent_to(log: UsageLog, inbox: Inbox):
    """Newest first, page by page, of one collection; a photo sent twice is there once."""
    matches = [answered(log, f"r{number}") for number in range(3)]
    answered(log, "elsewhere", collection="other")
    for number, match in enumerate(matches):
        assert inbox.keep(match, b"photo %d" % number, NOW + number) == NOW + number + 14 * DAY
    assert inbox.keep(matches[2], b"photo 2", NOW + 9) == NOW + 2 + 14 * DAY

    first, cursor = inbox.page("default", NOW + 10, limit=2)
    second, end = inbox.page("default", NOW + 10, cursor, limit=2)

    assert [entry.stored.match.request_id for entry in first + second] == ["r2", "r1", "r0"]
    assert [inbox.photo(entry.number, NOW + 10) for entry in first + second] == [b"photo 2", b"photo 1", b"photo 0"]
    assert (end, inbox.page("other", NOW + 10)) == (None, ([], None))
    assert inbox.entry(first[0].number, NOW + 10) == first[0]


@on_both_databases
def test_a_photo_is_deleted_when_its_time_is_over(log: UsageLog, inbox: Inbox):
    """From that moment nobody reads it, and the next round deletes it; younger ones stay."""
    inbox.keep(answered(log, "old"), b"old", NOW)
    inbox.keep(answered(log, "young"), b"young", NOW + DAY)
    (young, old), _ = inbox.page("default", NOW + DAY)
    over = NOW + 14 * DAY

    assert [entry.number for entry in inbox.page("default", over)[0]] == [young.number]
    for read in (inbox.photo, inbox.entry):
        with pytest.raises(UnknownInboxPhoto, match=str(old.number)):
            read(old.number, over)
    assert inbox.forget(over) == 1
    assert inbox.photo(young.number, over) == b"young"


def test_deleted_photos_leave_no_bytes_behind(log: UsageLog, inbox: Inbox, tmp_path: Path):
    """Removed, withdrawn, too old, or of a deleted collection: the bytes are overwritten in all files."""
    secret = b"a visitor's photo, pixel by pixel " * 400

    def lies_on_disk() -> bool:
        return secret[:34] in b"".join(path.read_bytes() for path in tmp_path.iterdir())

    for delete in (
        lambda: inbox.remove(inbox.page("default", NOW)[0][0].number),
        lambda: inbox.withdraw("r1", NOW),
        lambda: inbox.forget(NOW + 15 * DAY),
        lambda: log.forget_collection("default"),
    ):
        inbox.keep(answered(log), secret, NOW)
        assert lies_on_disk()
        delete()
        assert not lies_on_disk()


@on_both_databases
@pytest.mark.parametrize(("photos", "size"), [(2, 1_000_000), (1000, 25)], ids=["count", "bytes"])
def test_the_inbox_is_bounded(log: UsageLog, inbox: Inbox, monkeypatch, photos: int, size: int):
    """Beyond so many photos, or so many bytes, the oldest go before their time."""
    monkeypatch.setattr(module, "MOST_PHOTOS", photos)
    monkeypatch.setattr(module, "MOST_BYTES", size)
    for number in range(4):
        inbox.keep(answered(log, f"r{number}"), b"%010d" % number, NOW + number)

    kept = [entry.stored.match.request_id for entry in inbox.page("default", NOW + 5)[0]]

    assert kept == ["r3", "r2"]


def test_a_match_has_no_more_photos_than_a_question(log: UsageLog, inbox: Inbox):
    """Five may be sent, as with a question; a sixth is refused, one of the five is not."""
    match = answered(log)
    for number in range(5):
        inbox.keep(match, b"photo %d" % number, NOW)
    inbox.keep(match, b"photo 0", NOW)

    with pytest.raises(InvalidRequest, match="at most 5"):
        inbox.keep(match, b"photo 5", NOW)


@pytest.mark.parametrize("verdict", [None, "right"])
def test_a_photo_that_was_recognised_is_not_taken(log: UsageLog, inbox: Inbox, verdict):
    """Unless somebody has said that the answer was wrong."""
    match = answered(log, matched=True)
    if verdict:
        match = log.give_feedback("r1", verdict, None, NOW)

    with pytest.raises(InvalidRequest, match="was recognised"):
        inbox.keep(match, b"photo", NOW)
    inbox.keep(log.give_feedback("r1", "wrong", None, NOW), b"photo", NOW)

    assert len(inbox.page("default", NOW)[0]) == 1


@pytest.mark.parametrize("retention", [Retention(), Retention(match_days=0, inbox_days=14)], ids=["default", "no log"])
def test_no_photo_is_taken_where_the_operator_has_not_allowed_it(log: UsageLog, database: UsageDatabase, retention):
    """By default, and where no matches are kept that a photo could belong to."""
    with pytest.raises(InvalidRequest, match="M1_INBOX_DAYS"):
        Inbox(database, retention).keep(answered(log), b"photo", NOW)


def test_switching_it_off_deletes_what_is_there(log: UsageLog, inbox: Inbox, database: UsageDatabase):
    """The photos of a time when it was allowed do not stay."""
    inbox.keep(answered(log), b"photo", NOW)
    off = Inbox(database, Retention(match_days=100))

    assert (off.page("default", NOW)[0], off.forget(NOW)) == ([], 1)


def test_a_visitor_is_promised_what_is_then_kept(log: UsageLog, inbox: Inbox, database: UsageDatabase):
    """A longer retention holds for later photos alone, a shorter one for all."""
    inbox.keep(answered(log), b"photo", NOW)
    longer, shorter = (Inbox(database, Retention(match_days=100, inbox_days=days)) for days in (30, 7))

    assert [box.page("default", NOW)[0][0].kept_until for box in (longer, shorter)] == [NOW + 14 * DAY, NOW + 7 * DAY]
    assert longer.forget(NOW + 13 * DAY) == 0
    assert longer.page("default", NOW + 14 * DAY)[0] == []
    assert shorter.forget(NOW + 7 * DAY) == 1


@on_both_databases
def test_one_curator_at_a_time_decides_about_a_photo(log: UsageLog, inbox: Inbox):
    """Until the claim is released, or its process must have died."""
    inbox.keep(answered(log), b"photo", NOW)
    number = inbox.page("default", NOW)[0][0].number

    assert (inbox.claim(number, NOW), inbox.claim(number, NOW + 1)) == (True, False)
    inbox.release(number)
    assert inbox.claim(number, NOW + 2)
    assert not inbox.claim(number, NOW + 2 + module.CLAIM_S - 1)
    assert inbox.claim(number, NOW + 2 + module.CLAIM_S)
    assert not inbox.claim(number + 1, NOW)


@on_both_databases
def test_a_visitor_withdraws_the_consent(log: UsageLog, inbox: Inbox):
    """All photos of the answer are deleted, and no others; one that is just being decided about is left to that."""
    for photo in (b"photo 0", b"photo 1"):
        inbox.keep(answered(log), photo, NOW)
    inbox.keep(answered(log, "other"), b"another visitor's", NOW)
    claimed = inbox.page("default", NOW)[0][1].number
    inbox.claim(claimed, NOW)

    assert inbox.withdraw("r1", NOW) == 1
    assert [entry.number for entry in inbox.page("default", NOW)[0]] == [claimed + 1, claimed]
    inbox.release(claimed)
    assert (inbox.withdraw("r1", NOW), inbox.withdraw("r1", NOW)) == (1, 0)
    assert [entry.stored.match.request_id for entry in inbox.page("default", NOW)[0]] == ["other"]


@on_both_databases
def test_photos_follow_their_collection(log: UsageLog, inbox: Inbox):
    """A new name, the trash, and the end of the matches' own time hold for the photos as well."""
    inbox.keep(answered(log), b"photo", NOW)

    log.rename_collection("default", "renamed")
    assert len(inbox.page("renamed", NOW)[0]) == 1
    log.forget_collection("renamed")
    assert inbox.page("renamed", NOW)[0] == []
