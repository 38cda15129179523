"""Several photos of one thing in one request: each is compared with what it found, and they decide together."""

import io

import pytest
from fakes.images import draw_place, encode, see_again
from in_process import AppClient, error_of
from PIL import Image

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

    considered = {candidate["place"]["id"] for candidate in alone["candidates"]}
    assert "place-2" not in considered  # five of six are considered
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


def changed(photo: bytes, how: str) -> bytes:
    """A copy of a photo as phones, chats and editors make them."""
    image, file = Image.open(io.BytesIO(photo)), io.BytesIO()
    if how == "re-encoded":
        image.save(file, "JPEG", quality=40)
    elif how == "resized":
        image.resize((image.width * 9 // 10, image.height * 9 // 10)).save(file, "PNG")
    elif how == "turned by its EXIF":
        exif = Image.Exif()
        exif[0x0112] = 6
        image.transpose(Image.Transpose.ROTATE_90).save(file, "JPEG", quality=90, exif=exif)
    elif how == "turned":
        image.transpose(Image.Transpose.ROTATE_180).save(file, "JPEG", quality=90)
    elif how == "brightened":
        image.point(lambda value: min(255, round(value * 0.8 + 40))).save(file, "JPEG", quality=90)
    else:
        return photo
    return file.getvalue()


COPIES = ["the same bytes", "re-encoded", "resized", "turned by its EXIF", "turned", "brightened"]


@pytest.mark.parametrize("verify", ["true", "false"])
@pytest.mark.parametrize("how", COPIES)
def test_copies_of_a_photo_count_once(filled: AppClient, how: str, verify: str):
    """Sent two or three times, whatever was done to the file, a photo gives the answer that it gives alone."""
    alone = match(filled, SEEN[0], verify=verify)

    for photos in ([SEEN[0], changed(SEEN[0], how)], [SEEN[0], changed(SEEN[0], how), SEEN[0]]):
        together = match(filled, *photos, verify=verify)

        assert together["copies"] == list(range(1, len(photos)))
        for name in ("matched", "confidence", "decision", "reason", "candidates"):
            assert together[name] == alone[name], name


def test_a_copy_beside_another_view_leaves_that_its_say(filled: AppClient):
    """Two views and a copy of the first are two views; each is told under the number that it was sent with."""
    two = match(filled, *SEEN)
    three = match(filled, SEEN[0], changed(SEEN[0], "re-encoded"), SEEN[1])

    assert (two["copies"], three["copies"]) == ([], [1])
    assert three["decision"] == two["decision"]
    assert {candidate["photo"] for candidate in three["candidates"]} <= {0, 2}


def test_plain_photos_are_no_copies_of_each_other(filled: AppClient):
    """Of a wall, or with a finger on the lens: there is nothing by which they could be told to be one."""
    walls = [encode(Image.new("RGB", (320, 240), colour)) for colour in ("white", "black")]

    assert match(filled, *walls)["copies"] == []
