"""``POST /match`` through the real gateway and both real services, in one process."""

import pytest
from fakes.images import draw_place, encode, see_again
from in_process import AppClient, error_of, ready_body

QUERY = encode(see_again(draw_place(2), seed=5).image)
ELSEWHERE = encode(draw_place(77))


def match(product: AppClient, photo: bytes = QUERY, **fields: object) -> dict:
    """Ask, and expect an answer."""
    answer = product.post("/match", files={"file": ("q.jpg", photo)}, data={k: str(v) for k, v in fields.items()})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_photo_of_a_place_is_answered_with_the_place(filled: AppClient):
    """A visitor's photo leads to the place, the evidence, and the candidates that were considered."""
    answer = match(filled)

    assert (answer["matched"], answer["place"]["id"], answer["confidence"]) == (True, "place-2", pytest.approx(0.9))
    assert answer["verification"] == "done"
    assert answer["candidates"][0]["place"] == answer["place"]
    assert answer["candidates"][0]["verdict"]["is_match"]
    assert answer["models"]["verifier"] == "scripted (fake)"
    assert "thumbnail" in answer["models"]["encoder"]
    assert answer["reason"]


def test_a_photo_of_nothing_known_is_an_honest_no(filled: AppClient):
    """An unknown photo is an answer, not an error: matched false, no place, candidates still listed."""
    filled.request("DELETE", f"/index/images/{match(filled)['candidates'][0]['image_id']}")

    answer = match(filled, ELSEWHERE)

    assert (answer["matched"], answer["place"]) == (False, None)
    assert len(answer["candidates"]) == 5
    assert answer["reason"]


def test_candidates_are_ranked_anew_by_their_verdicts(filled: AppClient):
    """The final rank counts from 1; where retrieval had put a candidate stays visible."""
    answer = match(filled, ELSEWHERE, top_k=6)

    assert [candidate["rank"] for candidate in answer["candidates"]] == [1, 2, 3, 4, 5, 6]
    assert sorted(candidate["retrieval_rank"] for candidate in answer["candidates"]) == [1, 2, 3, 4, 5, 6]
    assert answer["candidates"][0]["place"]["id"] == "place-2"


def test_top_k_candidates_are_considered(filled: AppClient):
    """As many candidates come back as were asked for, five unless said otherwise."""
    assert len(match(filled, top_k=3)["candidates"]) == 3
    assert len(match(filled)["candidates"]) == 5


def test_without_verification_retrieval_answers(filled: AppClient):
    """verify=false answers from retrieval alone and says so."""
    answer = match(filled, verify="false")

    assert answer["verification"] == "skipped"
    assert answer["models"]["verifier"] is None
    assert all(candidate["verdict"] is None for candidate in answer["candidates"])


def test_what_a_candidate_links_to_is_there(filled: AppClient):
    """The links of a candidate work at the gateway."""
    candidate = match(filled)["candidates"][0]

    preview, original = filled.get(candidate["preview_url"]), filled.get(candidate["file_url"])

    assert preview.headers["content-type"] == original.headers["content-type"] == "image/jpeg"
    assert len(preview.content) > 0
    assert int(original.headers["content-length"]) == len(original.content)


def test_every_stage_tells_its_time(filled: AppClient):
    """The stages of all processes are in the reply and in its Server-Timing header; the gateway's share is told."""
    answer = filled.post("/match", files={"file": ("q.jpg", QUERY)})

    timings, cpu = answer.json()["timings_ms"], answer.json()["cpu_ms"]
    assert {"receive", "retrieval_encode", "verification_verify", "gateway", "total"} <= set(timings)
    parts = timings["receive"] + timings["retrieval_total"] + timings["verification_total"] + timings["gateway"]
    assert parts == pytest.approx(timings["total"], rel=0.01)
    assert "retrieval_encode;dur=" in answer.headers["server-timing"]
    assert (
        {"retrieval_decode", "retrieval_encode", "retrieval_search", "verification_verify"} <= set(cpu) <= set(timings)
    )


def test_the_request_id_is_the_callers(filled: AppClient):
    """A caller's request id comes back, in the header and in the reply; without one, one is made."""
    given = filled.post("/match", files={"file": ("q.jpg", QUERY)}, headers={"X-Request-ID": "visit-42"})
    made = filled.post("/match", files={"file": ("q.jpg", QUERY)}, headers={"X-Request-ID": "no good\tid"})

    assert given.headers["x-request-id"] == given.json()["request_id"] == "visit-42"
    assert len(made.json()["request_id"]) == 32


def test_an_unknown_prompt_style_is_the_visitors_error(filled: AppClient):
    """The verifier's own refusal reaches the caller unchanged."""
    answer = filled.post("/match", files={"file": ("q.jpg", QUERY)}, data={"prompt_style": "rude"})

    assert (answer.status_code, error_of(answer)["code"]) == (422, "invalid_request")
    assert "rude" in error_of(answer)["message"]


def test_empty_form_fields_count_as_absent(filled: AppClient):
    """Browsers send every field of a form; an empty one means that nothing was chosen."""
    assert match(filled, top_k="", prompt_style="", collection="")["matched"]


def test_ready_means_both_services_are(product: AppClient):
    """Readiness shows each part with its details."""
    body = ready_body(product)

    assert body["ready"]
    assert {name: part["ready"] for name, part in body["parts"].items()} == {"retrieval": True, "verifier": True}
    assert product.get("/health/live").json() == {"status": "alive"}


def test_readiness_tells_how_long_answers_took(filled: AppClient):
    """Every stage of the last answers, and how many these were; before the first there is nothing to tell."""
    before = filled.get("/health/ready").json()["details"]
    match(filled)
    match(filled, verify="false")
    after = filled.get("/health/ready").json()["details"]

    assert (before["recent_matches"], before["stage_ms"]) == (0, {})
    assert after["recent_matches"] == 2
    assert {"receive", "retrieval_encode", "verification_verify", "total"} <= set(after["stage_ms"])
    assert all(0 <= times["median"] <= times["p95"] for times in after["stage_ms"].values())


def test_the_version_names_the_models(product: AppClient):
    """What runs behind the gateway can be read at /version."""
    body = product.get("/version").json()

    assert "thumbnail" in body["encoder"]
    assert body["verifier"] == "scripted (fake)"
    assert body["version"]


@pytest.mark.parametrize(
    ("fields", "header", "language"),
    [({}, "zh-CN, en;q=0.5", "zh"), ({"language": "en"}, "zh-CN", "en"), ({}, "fr", "en")],
)
def test_reasons_speak_the_visitors_language(filled: AppClient, fields: dict, header: str, language: str):
    """The field decides, then Accept-Language, then English; without explain=true no reasons are made."""
    for image in match(filled)["candidates"][:1]:  # the one that the verifier believes in
        filled.request("DELETE", f"/index/images/{image['image_id']}")
    told = filled.post(
        "/match",
        files={"file": ("q.jpg", encode(draw_place(3)))},
        data={"explain": "true", "top_k": "1", **fields},
        headers={"Accept-Language": header},
    ).json()

    nearest = {"en": "The nearest is place-3.", "zh": "最接近的是“place-3”。"}
    assert (told["matched"], told["reasons"][0]) == (False, nearest[language])
    assert told["reasons_in"][language] == told["reasons"]
    assert {reasons[0] for reasons in told["reasons_in"].values()} == set(nearest.values())
    assert match(filled)["reasons"] == []


def test_few_candidates_are_listed_and_five_considered(filled: AppClient):
    """``top_k`` shortens the list, never the decision: with one listed, the signals are those of a longer list."""
    one, five = match(filled, top_k=1), match(filled)

    assert (len(one["candidates"]), len(five["candidates"])) == (1, 5)
    assert one["decision"]["signals"] == five["decision"]["signals"]
    assert one["candidates"][0]["image_id"] == five["candidates"][0]["image_id"]


def test_a_place_is_listed_once_by_its_best_image(filled: AppClient):
    """Several images of the first place are compared; it stands once among the candidates, by the one that agrees."""
    for seed in (11, 12, 13):
        view = encode(see_again(draw_place(2), seed=seed, crop=0.05, warp=0.01).image)
        added = filled.post("/index/images", files={"file": ("view.jpg", view)}, data={"place_id": "place-2"})
        assert added.json()["added"] == 1

    answer = match(filled, top_k=3)

    places = [candidate["place"]["id"] for candidate in answer["candidates"]]
    assert len(places) == len(set(places)) == 3
    assert (places[0], answer["matched"]) == ("place-2", True)
    assert answer["candidates"][0]["verdict"]["confidence"] == 0.9
