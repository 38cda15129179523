"""A photo is decoded once: the verifier gets retrieval's reduced copy, once it has said what size it uses."""

import base64

import httpx
from fakes.images import draw_place, encode
from in_process import AppClient
from played_services import FOUND, VERIFIED, gateway

PHOTO = encode(draw_place(1))
COPY = b"the same photo, smaller"


class Services:
    """Both services, and what they were asked."""

    def __init__(self, photo_side: int | None) -> None:
        self.photo_side = photo_side
        self.copy_sides: list[str | None] = []
        self.verified: list[bytes] = []

    def search(self, request: httpx.Request) -> httpx.Response:
        """Return a copy if one is requested."""
        side = request.url.params.get("copy_side")
        self.copy_sides.append(side)
        return httpx.Response(200, json=FOUND | ({"query_copy": base64.b64encode(COPY).decode()} if side else {}))

    def verify(self, request: httpx.Request) -> httpx.Response:
        """Note the photo."""
        self.verified += [data for data in (PHOTO, COPY) if data in request.content]
        return httpx.Response(200, json=VERIFIED | {"photo_side": self.photo_side})


def ask(client: AppClient, times: int, **fields: str) -> None:
    """Match the photo, again and again."""
    for _ in range(times):
        answer = client.post("/match", files={"file": ("q.jpg", PHOTO)}, data=fields)
        assert answer.status_code == 200, answer.text


def test_the_verifier_gets_the_copy_of_the_size_that_it_named():
    """The first photo goes to both as it is; the reply names the size, and from then on a copy of it is passed on."""
    services = Services(768)
    with gateway(services.search, services.verify) as client:
        ask(client, 3)

    assert services.copy_sides == [None, "768", "768"]
    assert services.verified == [PHOTO, COPY, COPY]


def test_another_verifier_names_another_size():
    """After a change of the verifier, one that reads whole photos gets them."""
    services = Services(768)
    with gateway(services.search, services.verify) as client:
        ask(client, 1)
        services.photo_side = None
        ask(client, 2)

    assert services.copy_sides == [None, "768", None]
    assert services.verified == [PHOTO, COPY, PHOTO]


def test_no_copy_is_made_that_nobody_reads():
    """A match without verification asks for none."""
    services = Services(768)
    with gateway(services.search, services.verify) as client:
        ask(client, 1)
        ask(client, 1, verify="false")

    assert services.copy_sides == [None, None]
