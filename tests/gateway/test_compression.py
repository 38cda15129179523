"""What travels to phones is small, and photos travel as they are."""

import gzip

import httpx
import pytest
from fakes.images import draw_place, encode
from in_process import AppClient

PHOTO = encode(draw_place(2))


def fetch(product: AppClient, path: str, accepted: str) -> tuple[httpx.Response, bytes]:
    """An answer, and its body as it travels."""

    async def stream() -> tuple[httpx.Response, bytes]:
        transport = httpx.ASGITransport(product.app)
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as http,
            http.stream("GET", path, headers={"Accept-Encoding": accepted}) as answer,
        ):
            return answer, b"".join([part async for part in answer.aiter_raw()])

    return product.call(stream)


@pytest.mark.parametrize("path", ["/app.js", "/style/base.css", "/openapi.json", "/index/images"])
def test_text_is_compressed_for_those_who_ask(filled: AppClient, path: str):
    """Scripts, styles and JSON, the services' as well, travel at less than half their size; others get them plain."""
    plain, whole = fetch(filled, path, "identity")
    packed, body = fetch(filled, path, "br, gzip")

    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert "accept-encoding" in packed.headers["vary"].lower()
    assert gzip.decompress(body) == whole
    assert len(body) < len(whole) / 2


@pytest.mark.parametrize("kind", ["file", "preview"])
def test_photos_are_not_compressed_again(filled: AppClient, kind: str):
    """A photo keeps its length, so that browsers show its progress and resume it."""
    image_id = filled.get("/index/images").json()["images"][0]["id"]

    answer, body = fetch(filled, f"/index/images/{image_id}/{kind}", "gzip")

    assert "content-encoding" not in answer.headers
    assert int(answer.headers["content-length"]) == len(body)


def test_a_small_answer_travels_as_it_is(filled: AppClient):
    """What fits into one packet anyway is not worth the work."""
    answer, _ = fetch(filled, "/health/live", "gzip")

    assert "content-encoding" not in answer.headers


def test_answers_are_the_same_compressed(filled: AppClient):
    """A client that accepts compression reads the same answer to a photo."""
    answers = [
        filled.post("/match", files={"file": ("q.jpg", PHOTO)}, headers={"Accept-Encoding": accepted})
        for accepted in ("identity", "gzip")
    ]

    assert [answer.headers.get("content-encoding") for answer in answers] == [None, "gzip"]
    assert answers[0].json()["candidates"] == answers[1].json()["candidates"]
