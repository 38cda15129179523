"""What is answered when a service is down, slow, broken or busy: the gateway alone, its services played."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from bad_photos import GOOD_PHOTO
from fakes.images import draw_place, encode
from in_process import AppClient, error_of
from played_services import BUSY, FOUND, VERIFIED, Answer, gateway, never, refuses, says, talks_nonsense


def match(client: AppClient, **fields: str) -> httpx.Response:
    """Ask about a photo."""
    return client.post("/match", files={"file": ("q.jpg", GOOD_PHOTO)}, data=fields)


@pytest.mark.parametrize(
    "verifier",
    [refuses, never, talks_nonsense, says({}, 500), says(BUSY, 503), says({"ranking": 3})],
    ids=["down", "slow", "nonsense", "crashed", "busy", "wrong reply"],
)
def test_without_a_verifier_retrieval_answers(verifier: Answer):
    """Whatever is wrong with the verifier, the visitor gets retrieval's own decision, marked as unverified."""
    with gateway(verifier=verifier, verifier_timeout_s=0.05) as client:
        answer = match(client)

    body = answer.json()
    assert (answer.status_code, body["verification"], body["matched"]) == (200, "unavailable", True)
    assert (body["confidence"], body["place"]["id"]) == (0.6, "p")
    assert "verifier is unavailable" in body["reason"]
    assert body["candidates"][0]["verdict"] is None


@pytest.mark.parametrize("verifier", [refuses, never, talks_nonsense, says(BUSY, 503)])
def test_where_verification_is_required_its_lack_is_503(verifier: Answer):
    """An operator may prefer no answer to an unverified one."""
    with gateway(verifier=verifier, verifier_timeout_s=0.05, require_verification=True) as client:
        answer = match(client)

    assert (answer.status_code, error_of(answer)["code"]) == (503, "verifier_unavailable")
    assert answer.headers["retry-after"]


@pytest.mark.parametrize(
    ("retrieval", "status", "code"),
    [
        (refuses, 503, "retrieval_unavailable"),
        (never, 504, "deadline_exceeded"),
        (talks_nonsense, 502, "retrieval_unavailable"),
        (says({}, 500), 502, "retrieval_unavailable"),
        (says({"detail": "who are you"}, 404), 502, "retrieval_unavailable"),
    ],
)
def test_without_retrieval_there_is_no_answer(retrieval: Answer, status: int, code: str):
    """Each way in which retrieval fails has its status and code."""
    with gateway(retrieval=retrieval, retrieval_timeout_s=0.05) as client:
        answer = match(client)

    assert (answer.status_code, error_of(answer)["code"]) == (status, code)


@pytest.mark.parametrize("route", [("GET", "/index/images"), ("DELETE", "/index/images/i"), ("POST", "/index/images")])
def test_the_gallery_is_unavailable_with_retrieval(route: tuple[str, str]):
    """Without retrieval the gallery's routes say so."""
    with gateway(retrieval=refuses) as client:
        answer = client.request(*route)

    assert (answer.status_code, error_of(answer)["code"]) == (503, "retrieval_unavailable")


@pytest.mark.parametrize("service", ["retrieval", "verifier"])
def test_a_services_refusal_passes_unchanged(service: str):
    """What a service finds wrong with the request reaches the caller byte for byte."""
    refusal = {"error": {"code": "invalid_request", "message": "no", "accepted": "yes", "field": "f"}}
    with gateway(**{service: says(refusal, 422)}) as client:
        answer = match(client)

    assert (answer.status_code, answer.json()) == (422, refusal)


def test_a_busy_retrieval_says_when_to_come_back():
    """Retry-After survives the hop."""
    with gateway(retrieval=says(BUSY, 503, **{"Retry-After": "7"})) as client:
        answer = match(client)

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")


def test_a_connection_that_died_is_tried_again_once():
    """A kept connection to a service that was restarted costs nobody an error."""
    calls = []

    def restarted(request: httpx.Request) -> httpx.Response:
        calls.append(request)
        if len(calls) == 1:
            raise httpx.RemoteProtocolError("server disconnected")
        return httpx.Response(200, json=FOUND)

    with gateway(retrieval=restarted) as client:
        answer = match(client)

    assert (answer.status_code, len(calls)) == (200, 2)


IMAGE = f"/index/images/{'0' * 32}"


@pytest.mark.parametrize(
    ("method", "path", "sent", "calls_made"),
    [
        ("GET", "/index/images", {}, 2),
        ("PATCH", IMAGE, {"json": {"place_name": "p"}}, 2),
        ("POST", "/collections/c/calibration", {"json": {}}, 2),
        ("DELETE", IMAGE, {}, 1),
        ("POST", "/index/images", {}, 1),
        ("PATCH", IMAGE, {"json": {"place_name": "p"}, "headers": {"If-Match": '"1"'}}, 1),
        ("PATCH", "/collections/c", {"json": {"name": "d"}}, 1),
        ("POST", "/collections", {"json": {"name": "c"}}, 1),
        ("POST", f"/trash/{'0' * 32}/restore", {}, 1),
    ],
)
def test_what_is_passed_on_is_tried_again_where_that_is_safe(
    method: str, path: str, sent: dict[str, Any], calls_made: int
):
    """Not an upload, whose bytes are gone, nor what succeeded once and then fails: it would be answered as a failure.

    That is a deletion, a name that is taken or gone since, and a change of a state that is no longer that one.
    """
    calls = []

    async def body() -> AsyncIterator[bytes]:
        yield b"{}"

    def dies_once(request: httpx.Request) -> httpx.Response:
        calls.append(request)
        if len(calls) == 1:
            raise httpx.RemoteProtocolError("server disconnected")
        return httpx.Response(200, content=body())

    with gateway(retrieval=dies_once) as client:
        answer = client.request(method, path, **sent)

    assert (answer.status_code, len(calls)) == (200 if calls_made == 2 else 503, calls_made)


@pytest.mark.parametrize("status", [502, 503])
def test_a_replica_that_died_behind_a_balancer_is_asked_elsewhere(status: int):
    """What a load balancer says in its own words is tried again once; a service's own refusal is not."""
    answers = [httpx.Response(status, text="<html>Bad Gateway</html>"), httpx.Response(200, json=FOUND)]
    with gateway(retrieval=lambda _request: answers.pop(0), verifier=says(VERIFIED)) as client:
        assert match(client).status_code == 200
    assert answers == []

    answers = [httpx.Response(503, json=BUSY), httpx.Response(200, json=FOUND)]
    with gateway(retrieval=lambda _request: answers.pop(0), verifier=says(VERIFIED)) as client:
        assert error_of(match(client))["code"] == "overloaded"
    assert len(answers) == 1


def test_the_request_id_travels_over_every_hop():
    """Both services are asked under the id that the visitor's request has."""
    seen = []

    def noting(answer: Any) -> Answer:
        return lambda request: (seen.append(request.headers["x-request-id"]), httpx.Response(200, json=answer))[1]

    with gateway(noting(FOUND), noting(VERIFIED)) as client:
        client.post("/match", files={"file": ("q.jpg", GOOD_PHOTO)}, headers={"X-Request-ID": "visit-7"})

    assert seen == ["visit-7", "visit-7"]


def test_the_photo_goes_to_retrieval_as_it_is():
    """Retrieval gets the raw bytes and the options; nothing of the form's wrapping."""
    asked = []

    def noting(request: httpx.Request) -> httpx.Response:
        asked.append((request.content, dict(request.url.params)))
        return httpx.Response(200, json=FOUND)

    with gateway(noting) as client:
        match(client, top_k="7", collection="museum")

    assert asked == [(GOOD_PHOTO, {"collection": "museum", "top_k": "7", "features": "true"})]


def test_a_candidate_the_verifier_dropped_is_not_shown():
    """A candidate deleted between the two services is in no answer."""
    dropped = {**VERIFIED, "ranking": [], "dropped": ["i"], "matched": False, "confidence": 0.0}
    with gateway(verifier=says(dropped)) as client:
        body = match(client).json()

    assert (body["candidates"], body["place"], body["verification"]) == ([], None, "done")


def test_too_many_matches_are_refused_at_once():
    """The gateway's own limit answers 503 with Retry-After."""

    async def scenario(client: AppClient) -> list[int]:
        transport = httpx.ASGITransport(client.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            files = {"file": ("q.jpg", GOOD_PHOTO)}
            answers = await asyncio.gather(*(http.post("/match", files=files) for _ in range(3)))
        return sorted(answer.status_code for answer in answers)

    with gateway(retrieval=never, retrieval_timeout_s=0.2, max_concurrent=2) as client:
        assert client.call(scenario, client) == [503, 504, 504]


def test_readiness_tells_which_part_is_missing():
    """A gateway without its verifier still answers, and says what it lacks; without retrieval it is not ready."""
    ready = {"ready": True, "process": "x"}
    with gateway(says(ready), refuses) as client:
        without_verifier = client.get("/health/ready")
    with gateway(says(ready), refuses, require_verification=True) as client:
        required = client.get("/health/ready")
    with gateway(refuses, says(ready)) as client:
        without_retrieval = client.get("/health/ready")

    assert (without_verifier.status_code, required.status_code, without_retrieval.status_code) == (200, 503, 503)
    assert "not verified" in without_verifier.json()["reason"]
    assert not without_retrieval.json()["parts"]["retrieval"]["ready"]


def test_the_version_is_told_without_the_services():
    """/version answers even when nobody else does."""
    with gateway(refuses, refuses) as client:
        answer = client.get("/version")

    assert answer.status_code == 200
    assert json.loads(answer.text)["encoder"] is None


def test_a_verifier_that_keeps_failing_is_left_alone():
    """After the failures of the setting nobody waits for it any more; operators see it, and visitors get an answer."""
    asked = []

    async def hangs(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return await never(request)

    with gateway(verifier=hangs, verifier_timeout_s=0.01, verifier_failures=2, verifier_rest_s=3600) as client:
        answers = [match(client).json() for _ in range(4)]
        metrics = client.get("/metrics").text

    assert [answer["verification"] for answer in answers] == ["unavailable"] * 4
    assert len(asked) == 2
    assert 'matcher_verifier_left_alone{process="gateway"} 1.0' in metrics


def test_a_verifier_that_has_recovered_is_asked_again():
    """After its rest one match tries it, and verification is back."""
    asked = []

    def restarted(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(500, json={}) if len(asked) == 1 else httpx.Response(200, json=VERIFIED)

    with gateway(verifier=restarted, verifier_failures=1, verifier_rest_s=1e-9) as client:
        answers = [match(client).json() for _ in range(3)]

    assert [answer["verification"] for answer in answers] == ["unavailable", "done", "done"]


def test_little_time_is_kept_for_an_answer():
    """A caller with little time gets retrieval's answer within it, and is told to both services; nobody is blamed."""
    told = []

    async def slow(request: httpx.Request) -> httpx.Response:
        told.append(float(request.headers["x-request-timeout-s"]))
        return await never(request)

    def quick(request: httpx.Request) -> httpx.Response:
        told.append(float(request.headers["x-request-timeout-s"]))
        return httpx.Response(200, json=FOUND)

    limit = {"X-Request-Timeout-S": "0.2"}
    with gateway(quick, slow, verifier_failures=1) as client:
        answer = client.post("/match", files={"file": ("q.jpg", GOOD_PHOTO)}, headers=limit)
        metrics = client.get("/metrics").text

    assert (answer.status_code, answer.json()["verification"]) == (200, "unavailable")
    assert 0.1 < told[0] <= 0.2
    assert 0 < told[1] <= 0.1
    assert 'matcher_verifier_left_alone{process="gateway"} 0.0' in metrics


def test_a_match_ends_when_its_own_time_is_over():
    """A silent service is unavailable then: an answer without the verifier, which has failed; 503 without retrieval."""
    with gateway(verifier=never, longest_match_s=0.01, verifier_failures=1, verifier_rest_s=3600) as client:
        answer = match(client)
        metrics = client.get("/metrics").text
    with gateway(verifier=never, longest_match_s=0.01, require_verification=True) as client:
        required = match(client)
    with gateway(retrieval=never, longest_match_s=0.01) as client:
        without = match(client)

    assert (answer.status_code, answer.json()["verification"]) == (200, "unavailable")
    assert 'matcher_verifier_left_alone{process="gateway"} 1.0' in metrics
    assert (required.status_code, error_of(required)["code"]) == (503, "verifier_unavailable")
    assert (without.status_code, error_of(without)["code"]) == (503, "retrieval_unavailable")
    assert without.headers["retry-after"]


@pytest.mark.parametrize("count", [1, 2])
def test_a_match_has_time_for_each_of_its_photos(count: int):
    """Both services are told how much; a caller who waits longer changes nothing."""
    told = []

    def noting(answer: Any) -> Answer:
        return lambda request: (
            told.append(float(request.headers["x-request-timeout-s"])),
            httpx.Response(200, json=answer),
        )[1]

    files = [("file", ("q.jpg", encode(draw_place(seed)))) for seed in range(count)]
    with gateway(noting(FOUND), noting(VERIFIED), longest_match_s=10) as client:
        client.post("/match", files=files, headers={"X-Request-Timeout-S": "300"})

    assert len(told) == count + 1
    assert all(10 * count - 5 < each < 10 * count + 1 for each in told)


def test_no_time_for_verification_does_not_ask_the_verifier():
    """With less time than an answer takes to be sent, the verifier is not troubled at all."""
    asked = []
    limit = {"X-Request-Timeout-S": "0.09"}
    with gateway(verifier=lambda request: asked.append(request)) as client:
        answer = client.post("/match", files={"file": ("q.jpg", GOOD_PHOTO)}, headers=limit)

    assert (answer.status_code, answer.json()["verification"], asked) == (200, "unavailable", [])


def test_a_verifier_that_gives_up_in_time_was_too_slow():
    """A 504 of the verifier's own counts like a deadline that the gateway had to enforce."""
    late = {"error": {"code": "deadline_exceeded", "message": "late", "accepted": None, "field": None}}
    with gateway(verifier=says(late, 504), verifier_failures=1, verifier_rest_s=3600) as client:
        answer = match(client)
        metrics = client.get("/metrics").text

    assert (answer.status_code, answer.json()["verification"]) == (200, "unavailable")
    assert 'matcher_verifier_left_alone{process="gateway"} 1.0' in metrics


def test_left_alone_and_required_is_503_at_once():
    """Where verification is required, its lack is told without asking again."""
    with gateway(verifier=refuses, verifier_failures=1, verifier_rest_s=3600, require_verification=True) as client:
        answers = [match(client) for _ in range(2)]

    assert [(answer.status_code, error_of(answer)["code"]) for answer in answers] == [(503, "verifier_unavailable")] * 2
    assert "is not asked for a moment" in error_of(answers[1])["message"]
