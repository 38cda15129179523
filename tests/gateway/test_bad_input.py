"""Everything a visitor can send wrong: each its own 4xx, all in one JSON shape."""

from collections.abc import AsyncIterator

import pytest
from bad_photos import BAD_PHOTOS, GOOD_PHOTO
from in_process import AppClient, error_of


def form(photo: bytes = GOOD_PHOTO, **fields: str) -> dict:
    """A form as a browser sends it."""
    return {"files": {"file": ("q.jpg", photo)}, "data": fields}


@pytest.mark.parametrize("name", BAD_PHOTOS)
def test_bad_photos(filled: AppClient, name: str):
    """Each kind of unusable photo has its own status and code."""
    data, status, code = BAD_PHOTOS[name]

    answer = filled.post("/match", **form(data))

    assert (answer.status_code, error_of(answer)["code"]) == (status, code)
    assert error_of(answer)["accepted"]


@pytest.mark.parametrize(
    ("options", "status", "code", "field"),
    [
        (form(top_k="0"), 422, "invalid_request", "top_k"),
        (form(top_k="51"), 422, "invalid_request", "top_k"),
        (form(top_k="five"), 422, "invalid_request", "top_k"),
        (form(verify="perhaps"), 422, "invalid_request", "verify"),
        (form(collection="x" * 201), 422, "invalid_request", "collection"),
        (form(topk="3"), 422, "invalid_request", "topk"),
        (form(collection="louvre"), 404, "unknown_collection", None),
        ({"files": {"photo": ("q.jpg", GOOD_PHOTO)}}, 422, "invalid_request", "file"),
        ({"data": {"file": "text"}, "files": {"x": b""}}, 422, "invalid_request", "file"),
        ({"content": GOOD_PHOTO, "headers": {"Content-Type": "image/jpeg"}}, 422, "invalid_request", None),
        ({}, 422, "invalid_request", None),
    ],
)
def test_bad_requests(filled: AppClient, options: dict, status: int, code: str, field: str | None):
    """Each wrong option has its status, its code, and the field at fault."""
    answer = filled.post("/match", **options)

    assert (answer.status_code, error_of(answer)["code"], error_of(answer)["field"]) == (status, code, field)
    assert error_of(answer)["accepted"]


def test_a_location_that_says_nothing_is_refused(filled: AppClient):
    """A misspelt position is not ignored; what phones add to a position, such as the altitude, is."""
    misspelt = filled.post("/match", **form(location='{"lat": 1, "lng": 2}'))
    with_more = filled.post("/match", **form(location='{"latitude": 1, "longitude": 2, "altitude": 3}'))

    assert (misspelt.status_code, error_of(misspelt)["field"]) == (422, "location")
    assert "lat, lng" in error_of(misspelt)["message"]
    assert with_more.status_code == 200


@pytest.mark.parametrize(
    ("content_type", "headers", "content", "message"),
    [
        ("multipart/form-data", {}, b"--x\r\n", "Let the client set Content-Type itself"),
        ("multipart/form-data; boundary=y", {}, b"--x\r\n", "begins with the boundary that Content-Type names"),
        ("multipart/form-data; boundary=x", {}, b"--x\nContent-Disposition: form-data\n", "lines end in CR LF"),
        ("multipart/form-data; boundary=x", {}, b"A preamble.\r\n--x\r\n", "begins with the boundary"),
        ("multipart/form-data; boundary=x", {"Content-Encoding": "gzip"}, b"\x1f\x8b", "the form is compressed (gzip)"),
    ],
)
def test_a_form_that_cannot_be_read_says_why(
    filled: AppClient, content_type: str, headers: dict[str, str], content: bytes, message: str
):
    """What clients that write their own forms get wrong is named, with what is right."""
    answer = filled.post("/match", content=content, headers={"Content-Type": content_type, **headers})

    assert (answer.status_code, error_of(answer)["code"]) == (422, "invalid_request")
    assert message in error_of(answer)["message"]


def test_a_value_that_is_not_accepted_is_explained_in_one_sentence(filled: AppClient):
    """Nothing of the library that found it is in the message, nor in what would be accepted."""
    without_place = error_of(filled.post("/feedback", json={"request_id": "r", "verdict": "other_place"}))
    no_boolean = error_of(filled.get("/index/places?hidden=perhaps"))

    assert without_place["message"].startswith("place_id is accepted only with the verdict other_place, which needs it")
    assert no_boolean["message"] == "hidden: input should be a valid boolean; got 'perhaps'"
    assert no_boolean["accepted"] == "a valid boolean"


def test_an_empty_gallery(product: AppClient):
    """Before anything was added, a match says so and how to add."""
    answer = product.post("/match", **form())

    assert (answer.status_code, error_of(answer)["code"]) == (409, "empty_gallery")
    assert "/index/images" in error_of(answer)["accepted"]


@pytest.mark.parametrize("path", ["/match", "/index/images"])
def test_an_announced_giant_is_refused_by_its_announcement(product: AppClient, path: str):
    """A body announced as too large is refused by its announcement: it need not arrive."""

    async def body() -> AsyncIterator[bytes]:
        yield bytes(1024)

    size = {"/match": 200 * 1024**2, "/index/images": 5 * 1024**3}[path]
    headers = {"Content-Length": str(size), "Content-Type": "multipart/form-data; boundary=x"}
    answer = product.post(path, content=body(), headers=headers)

    assert (answer.status_code, error_of(answer)["code"]) == (413, "image_too_large")
    assert error_of(answer)["accepted"]


def test_an_unannounced_giant_is_cut_off(product: AppClient):
    """A body of 200 MB sent in pieces is refused as soon as it exceeds the limit, not when it has all arrived."""
    piece, sent = bytes(1024 * 1024), 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="q.jpg"\r\n\r\n'
        for _ in range(200):
            sent += 1
            yield piece

    answer = product.post("/match", content=body(), headers={"Content-Type": "multipart/form-data; boundary=x"})

    assert (answer.status_code, error_of(answer)["code"]) == (413, "image_too_large")
    assert sent <= 34


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/no/such/page", 404, "not_found"),
        ("GET", "/match", 405, "method_not_allowed"),
        ("PUT", "/index/images", 405, "method_not_allowed"),
        ("GET", "/index/images/unknown", 404, "unknown_image"),
        ("GET", "/index/images/unknown/file", 404, "unknown_image"),
        ("GET", "/index/images/%2e%2e%2fetc/file", 404, "not_found"),
        ("DELETE", "/index/images/unknown", 404, "unknown_image"),
        ("GET", "/index/images?limit=0", 422, "invalid_request"),
    ],
)
def test_wrong_addresses(product: AppClient, method: str, path: str, status: int, code: str):
    """Unknown paths, wrong methods and unknown images answer in the same shape as everything else."""
    answer = product.request(method, path)

    assert (answer.status_code, error_of(answer)["code"]) == (status, code)
    if status == 405:
        assert answer.headers["allow"]


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param(b'{"a":"\\ud800"}', id="no-unicode-text"),
        pytest.param(b'{"a":' + b"[" * 60 + b"]" * 60 + b"}", id="deeply-nested"),
        pytest.param(b'{"a":' + b"[" * 260 + b"]" * 260 + b"}", id="very-deeply-nested"),
        pytest.param(b'{"a":"' + b"x" * 70_000 + b'"}', id="long"),
        pytest.param(b'{"a":"' + b"x" * 2_000_000 + b'"}', id="giant"),
    ],
)
def test_metadata_that_could_not_be_given_back_is_never_stored(filled: AppClient, metadata: bytes):
    """What a listing could not show is refused when it is sent, and listings and matches go on working."""
    image_id = filled.get("/index/images").json()["images"][0]["id"]

    answer = filled.request(
        "PATCH",
        f"/index/images/{image_id}",
        content=b'{"metadata":' + metadata + b"}",
        headers={"content-type": "application/json"},
    )

    assert answer.status_code in (400, 413, 422)
    assert error_of(answer)["message"]
    assert filled.get("/index/images").status_code == filled.get("/index/places").status_code == 200
    assert filled.post("/match", **form()).status_code == 200


@pytest.mark.parametrize("image_id", ["a%00b", "%7f", "..%2f..%2fetc", "a%0ab", "%ff"])
def test_an_id_of_odd_characters_is_refused(filled: AppClient, image_id: str):
    """An id that no image can have is a fault of the request, whatever the method."""
    answers = [filled.request(method, f"/index/images/{image_id}") for method in ("GET", "PATCH", "DELETE")]

    assert {answer.status_code for answer in answers} <= {404, 405, 422}


def test_a_header_of_odd_characters_is_passed_over(filled: AppClient):
    """A header value outside ASCII does not stop an answer."""
    image_id = filled.get("/index/images").json()["images"][0]["id"]

    answer = filled.get(f"/index/images/{image_id}/file", headers={b"if-none-match": b"\xe9"})

    assert answer.status_code == 200
