"""From a match to what is said of it, through the public door."""

import asyncio
import json

import httpx
import pytest
from fakes.images import draw_place, encode
from in_process import AppClient, error_of

from clients.retrieval import RetrievalClient
from contracts import examples
from contracts.matching import MatchReply
from gateway.match.log import MOST_WAITING, open_match_log

REPLY = MatchReply.model_validate(examples.MATCHED)


def ask(product: AppClient, seed: int) -> dict:
    """Match the photo of a place."""
    answer = product.post("/match", files={"file": ("visitor.jpg", encode(draw_place(seed)))})
    assert answer.status_code == 200
    return answer.json()


def test_feedback_right_after_the_answer_finds_it(filled: AppClient):
    """However quickly somebody comments, the match is on record by then."""
    for _ in range(5):
        answer = ask(filled, 2)
        said = filled.post("/feedback", json={"request_id": answer["request_id"], "verdict": "right"})
        assert (said.status_code, said.json()["collection"]) == (200, "default")


def test_answers_and_what_was_said_of_them_are_listed(filled: AppClient):
    """Right and refused answers are kept with their numbers; no photo, and nothing of who asked."""
    matched, refused = ask(filled, 2), ask(filled, 99)
    filled.post("/feedback", json={"request_id": matched["request_id"], "verdict": "wrong"})
    filled.post("/feedback", json={"request_id": refused["request_id"], "verdict": "not_in_collection"})

    entries = filled.get("/collections/default/matches").json()["matches"]

    assert [entry["request_id"] for entry in entries] == [refused["request_id"], matched["request_id"]]
    assert [entry["feedback"]["verdict"] for entry in entries] == ["not_in_collection", "wrong"]
    assert (entries[1]["matched"], entries[1]["place_id"]) == (True, "place-2")
    assert entries[1]["confidence"] == matched["confidence"]
    assert entries[1]["score"] == matched["decision"]["score"]
    assert set(entries[1]["evidence"]) == {"similarity", "similarity_margin", "runner_up_confidence"} | {
        f"signal {name}" for name in matched["decision"]["signals"]
    }


def test_a_place_that_is_not_there_is_refused(filled: AppClient):
    """The service's own words reach the caller."""
    answer = ask(filled, 2)
    said = {"request_id": answer["request_id"], "verdict": "other_place", "place_id": "moon"}

    refused = filled.post("/feedback", json=said)

    assert refused.status_code == 422
    assert "no place of id 'moon'" in error_of(refused)["message"]


def test_a_long_comment_is_not_read(filled: AppClient):
    """Feedback is a few words; a large body is refused before it has arrived."""
    refused = filled.post("/feedback", content=b"x" * 10_000, headers={"content-type": "application/json"})

    assert refused.status_code == 413


def test_health_and_drift_pass_the_gateway(filled: AppClient):
    """The operator's questions are answered at the public door as well."""
    health = filled.get("/collections/default/health?wait_s=20").json()
    drift = filled.get("/collections/default/drift").json()

    assert (health["state"], health["report"]["places"]) == ("fresh", 6)
    assert drift["state"] == "too_few"


def test_collection_names_survive_the_hop(filled: AppClient):
    """A name with a percent sign, a slash and Chinese arrives as it was sent."""
    photo = encode(draw_place(3))
    filled.post("/index/images", files={"file": ("a.jpg", photo)}, data={"collection": "50%/故宫?"})

    answer = filled.get("/collections/50%25%2F%E6%95%85%E5%AE%AB%3F/health?wait_s=20")

    assert (answer.status_code, answer.json()["collection"]) == (200, "50%/故宫?")


def test_answers_wait_for_a_service_that_is_away():
    """What could not be sent is sent once the service is back, each answer once, in order."""
    received: list[str] = []
    refusals = 2

    def retrieval(request: httpx.Request) -> httpx.Response:
        nonlocal refusals
        if refusals:
            refusals -= 1
            raise httpx.ConnectError("away")
        matches = json.loads(request.content)["matches"]
        received.extend(match["request_id"] for match in matches)
        return httpx.Response(200, json={"recorded": len(matches)})

    async def scenario() -> None:
        transport = httpx.MockTransport(retrieval)
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://retrieval") as http,
            open_match_log(RetrievalClient(http, 5), pause_s=0.01) as log,
        ):
            for number in range(700):
                log.note(REPLY.model_copy(update={"request_id": f"r{number}"}))
            await log.sent(timeout_s=5)

    asyncio.run(scenario())

    assert received == [f"r{number}" for number in range(700)]


@pytest.mark.parametrize(
    "trouble", [httpx.Response(422, json=examples.ERROR), RuntimeError("odd")], ids=["refused", "odd"]
)
def test_one_batch_in_trouble_holds_up_no_other(trouble: httpx.Response | Exception):
    """What the service will never take is given up, and a failure of any kind is survived: later answers arrive."""
    received: list[str] = []
    troubles = [trouble]

    def retrieval(request: httpx.Request) -> httpx.Response:
        if troubles:
            trouble = troubles.pop()
            if isinstance(trouble, Exception):
                raise trouble
            return trouble
        matches = json.loads(request.content)["matches"]
        received.extend(match["request_id"] for match in matches)
        return httpx.Response(200, json={"recorded": len(matches)})

    async def scenario() -> None:
        transport = httpx.MockTransport(retrieval)
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://retrieval") as http,
            open_match_log(RetrievalClient(http, 5), pause_s=0.01) as log,
        ):
            for name in ("first", "second"):
                log.note(REPLY.model_copy(update={"request_id": name}))
                await log.sent(timeout_s=5)

    asyncio.run(scenario())

    assert received == (["first", "second"] if isinstance(trouble, Exception) else ["second"])


def test_a_service_that_stays_away_costs_bounded_memory():
    """The newest answers are held, the oldest given up, and shutting down does not wait for ever."""

    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("away")

    async def scenario() -> int:
        transport = httpx.MockTransport(away)
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://retrieval") as http,
            open_match_log(RetrievalClient(http, 5), pause_s=0.01) as log,
        ):
            for _ in range(MOST_WAITING + 10):
                log.note(REPLY)
            return log.waiting

    assert asyncio.run(scenario()) == MOST_WAITING
