"""The request to the verifier says which images are further views of places that are candidates anyway."""

import json

import httpx
from fakes.images import draw_place, encode
from played_services import FOUND, IMAGE, VERIFIED, gateway, says


def test_further_views_are_marked():
    """The verifier decides which of them it needs."""
    view = {"image": IMAGE | {"id": "view"}, "similarity": 0.6, "rank": 2}
    requests = []

    def verify(request: httpx.Request) -> httpx.Response:
        text = request.content.split(b"application/json", 1)[1].lstrip()
        requests.append(json.JSONDecoder().raw_decode(text.decode("latin-1"))[0])
        return httpx.Response(200, json=VERIFIED)

    with gateway(says(FOUND | {"further_views": [view]}), verify) as client:
        assert client.post("/match", files={"file": ("q.jpg", encode(draw_place(1)))}).status_code == 200

    (request,) = requests
    assert {ref["image_id"]: ref["further_view"] for ref in request["candidates"]} == {"i": False, "view": True}
