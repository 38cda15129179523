"""An answer for which there was no time to look again says so."""

import pytest
from fakes.images import draw_place, encode
from played_services import FOUND, VERIFIED, gateway, says

PHOTO = encode(draw_place(1, (64, 48)))
SAID = {"reasons": ["Nothing agrees."], "reasons_in": {"en": ["Nothing agrees."], "zh": ["没有吻合之处。"]}}
REFUSED = VERIFIED | {"matched": False} | SAID


@pytest.mark.parametrize("out_of_time", [False, True])
def test_the_reply_says_whether_looks_were_left_out(out_of_time: bool):
    """Looks of all photos are counted, and the flag is that of the retrieval service."""
    found = FOUND | {"looks": 2, "out_of_time": out_of_time}
    with gateway(retrieval=says(found)) as client:
        reply = client.post("/match", files=[("file", ("a.jpg", PHOTO)), ("file", ("b.jpg", PHOTO))]).json()

    assert (reply["looks"], reply["looks_left_out"]) == (4, out_of_time)


@pytest.mark.parametrize(("out_of_time", "more"), [(False, 0), (True, 1)])
def test_a_refusal_without_all_looks_tells_the_visitor_what_to_do(out_of_time: bool, more: int):
    """A refusal is no last word where a turned photo was not looked at; both languages say so."""
    with gateway(retrieval=says(FOUND | {"out_of_time": out_of_time}), verifier=says(REFUSED)) as client:
        reply = client.post(
            "/match", files={"file": ("a.jpg", PHOTO)}, data={"explain": "true", "language": "zh"}
        ).json()

    assert len(reply["reasons"]) == len(reply["reasons_in"]["en"]) == len(reply["reasons_in"]["zh"]) == 1 + more
    assert ("再拍一张" in reply["reasons"][-1]) == out_of_time


def test_a_match_needs_no_further_look():
    """An answer that was found is not put into question."""
    found = says(FOUND | {"out_of_time": True})
    with gateway(retrieval=found, verifier=says(VERIFIED | SAID)) as client:
        reply = client.post("/match", files={"file": ("a.jpg", PHOTO)}, data={"explain": "true"}).json()

    assert reply["reasons"] == ["Nothing agrees."]
