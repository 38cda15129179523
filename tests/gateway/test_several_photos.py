"""Several photos of one thing in one request: each is compared with what it found, and they decide together."""

import pytest
from fakes.images import draw_place, encode, see_again
from in_process import AppClient, error_of

SEEN = [encode(see_again(draw_place(2), seed).image) for seed in (5, 6)]
ELSEWHERE = encode(draw_place(73))


def match(product: AppClient, *photos: bytes, **fields: str) -> dict:
    """Ask about photos, and expect an answer."""
    answer = product.post("/match", files=[("file", ("q.jpg", photo)) for photo in photos], data=fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_photos_that_agree_make_the_answer_surer(filled: AppClient):
    """Two photos of a place say more than one; the place is listed once, with the photo that speaks best for it."""
    alone, together = match(filled, SEEN[0]), match(filled, *SEEN)

    assert together["place"]["id"] == "place-2"
    assert together["decision"]["score"] > alone["decision"]["score"]
    assert together["decision"]["signals"]["agreeing"] > alone["decision"]["signals"]["agreeing"]
    places = [candidate["place"]["id"] for candidate in together["candidates"]]
    assert len(places) == len(set(places))
    assert [candidate["rank"] for candidate in together["candidates"]] == list(range(1, len(places) + 1))


def test_one_good_photo_among_others_is_enough(filled: AppClient):
    """What only the second photo found is told as its own, at the rank that it had there."""
    alone = match(filled, ELSEWHERE, verify="false")

    answer = match(filled, ELSEWHERE, SEEN[0], top_k="6")

    assert "place-2" not in {each["place"]["id"] for each in alone["candidates"]}  # five of six are considered
    assert (answer["matched"], answer["place"]["id"]) == (True, "place-2")
    assert [answer["candidates"][0][name] for name in ("photo", "rank", "retrieval_rank")] == [1, 1, 1]


def test_without_verification_the_surest_photo_answers(filled: AppClient):
    """Every image is listed once, the surest photo's first; the stages of both searches are summed."""
    answer = match(filled, ELSEWHERE, SEEN[0], verify="false")

    images = [candidate["image_id"] for candidate in answer["candidates"]]
    assert len(images) == len(set(images)) >= 5
    assert {candidate["photo"] for candidate in answer["candidates"]} == {0, 1}
    assert answer["timings_ms"]["retrieval_total"] <= answer["timings_ms"]["total"]


def test_a_single_photo_is_photo_0(filled: AppClient):
    """Nothing changes for those who send one."""
    assert {candidate["photo"] for candidate in match(filled, SEEN[0])["candidates"]} == {0}


def test_the_photo_at_fault_is_named(filled: AppClient):
    """A visitor learns which of the photos cannot be read."""
    refused = filled.post("/match", files=[("file", ("q.jpg", photo)) for photo in (SEEN[0], b"no photo at all")])

    assert refused.status_code == 415
    assert error_of(refused)["message"].startswith("photo 2: ")


@pytest.mark.parametrize(("photos", "status"), [([b"x"] * 6, 422), ([bytes(7 * 1024**2)] * 5, 413)])
def test_there_are_bounds(filled: AppClient, photos: list[bytes], status: int):
    """No more than five, and together no more bytes than one photo may have."""
    refused = filled.post("/match", files=[("file", ("q.jpg", photo)) for photo in photos])

    assert refused.status_code == status
    assert error_of(refused)["message"]
