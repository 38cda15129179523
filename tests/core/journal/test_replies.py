"""Writes that are sent again, as every replica sees them."""

from pathlib import Path

import pytest
from databases import on_both_databases

from core.errors import InvalidRequest
from core.gallery import Storage
from core.journal import Replies, Reply, UsageDatabase
from core.journal import replies as module
from core.journal.jobs import SILENT_S
from core.journal.replies import KEPT_S

pytestmark = on_both_databases

NOW = 1_700_000_000.0
CREATED = Reply(201, b'{"id": "east"}')


@pytest.fixture
def replies(database: UsageDatabase) -> Replies:
    """Nothing was written yet."""
    return Replies(database)


def test_a_write_is_done_once(replies: Replies, tmp_path: Path, storage: Storage):
    """The first caller does it; the others see that it is being done, then its reply, also after a restart."""
    assert replies.begin("w", "create east", "a", NOW) is None
    assert replies.begin("w", "create east", "b", NOW + 1) == Reply(None, b"")

    replies.finish("w", "a", CREATED, NOW + 2)
    later = UsageDatabase(tmp_path, storage)

    assert replies.begin("w", "create east", "c", NOW + 3) == CREATED
    assert Replies(later).begin("w", "create east", "d", NOW + KEPT_S) == CREATED
    later.close()


def test_one_key_is_for_one_request(replies: Replies):
    """Whether the first is still being done or not: what another request asks for is not done."""
    replies.begin("w", "create east", "a", NOW)
    with pytest.raises(InvalidRequest, match="use a new key"):
        replies.begin("w", "create west", "b", NOW)
    replies.finish("w", "a", CREATED, NOW)

    with pytest.raises(InvalidRequest, match="use a new key"):
        replies.begin("w", "create west", "b", NOW)


def test_a_write_that_failed_is_begun_again(replies: Replies):
    """With the same key, and also with another request."""
    replies.begin("w", "create east", "a", NOW)
    replies.abandon("w", "a")

    assert replies.begin("w", "create west", "b", NOW) is None


def test_a_write_whose_process_died_is_begun_again(replies: Replies):
    """After its last heartbeat, and not before; should the process come back, it does not disturb the second one."""
    replies.begin("w", "create east", "a", NOW)
    replies.heartbeat("w", "a", NOW + SILENT_S)
    assert replies.begin("w", "create east", "b", NOW + 2 * SILENT_S).status is None

    assert replies.begin("w", "create east", "b", NOW + 2 * SILENT_S + 1) is None
    replies.finish("w", "a", Reply(201, b"late"), NOW + 2 * SILENT_S + 2)
    replies.abandon("w", "a")
    assert replies.begin("w", "create east", "c", NOW + 2 * SILENT_S + 3).status is None


def test_a_reply_is_repeated_for_a_day(replies: Replies):
    """Then the key is free again."""
    replies.begin("w", "create east", "a", NOW)
    replies.finish("w", "a", CREATED, NOW)

    assert replies.begin("w", "create west", "b", NOW + KEPT_S + 1) is None


@pytest.mark.parametrize(("limit", "value"), [("MOST_REPLIES", 2), ("MOST_BYTES", 2 * len(CREATED.body))])
def test_the_oldest_replies_give_way(replies: Replies, monkeypatch: pytest.MonkeyPatch, limit: str, value: int):
    """Of number and of bytes there is a limit; what is being done never gives way."""
    monkeypatch.setattr(module, limit, value)
    replies.begin("running", "request", "a", NOW)
    for number in range(3):
        replies.begin(f"w{number}", "request", "a", NOW)
        replies.finish(f"w{number}", "a", CREATED, NOW + number)

    again = {name: replies.begin(name, "request", "b", NOW + 5) for name in ("running", "w0", "w1", "w2")}

    assert again == {"running": Reply(None, b""), "w0": None, "w1": CREATED, "w2": CREATED}
