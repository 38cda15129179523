"""Texts in several languages through the public door."""

import pytest
from fakes.images import draw_place, encode, see_again
from in_process import AppClient

QUERY = encode(see_again(draw_place(2), seed=5).image)
PLACE = "/collections/default/places/place-2"


@pytest.fixture
def described(filled: AppClient) -> AppClient:
    """The product; one of its places has an English text beside the Chinese one."""
    filled.request("PATCH", "/collections/default", json={"language": "zh"})
    change = {"name": "钟", "description": "青铜", "texts": {"en": {"name": "Bell", "description": "*Bronze*"}}}
    assert filled.request("PATCH", PLACE, json=change).status_code == 200
    return filled


@pytest.mark.parametrize(
    ("languages", "fields", "name", "html"),
    [
        ("en-US,en;q=0.9", {}, "Bell", "<p><em>Bronze</em></p>\n"),
        ("en-US,en;q=0.9", {"language": "zh"}, "Bell", "<p><em>Bronze</em></p>\n"),
        ("ja,en;q=0.2", {}, "Bell", "<p><em>Bronze</em></p>\n"),
        ("zh-CN,en;q=0.9", {}, "钟", "<p>青铜</p>\n"),
        ("ja", {}, "钟", "<p>青铜</p>\n"),
        (None, {"language": "en"}, "Bell", "<p><em>Bronze</em></p>\n"),
        ("日本語", {}, "钟", "<p>青铜</p>\n"),
    ],
)
def test_an_answer_is_in_the_visitors_language(
    described: AppClient, languages: str | None, fields: dict[str, str], name: str, html: str
):
    """The place and its candidate say it beside what they have always said; else the form's language counts."""
    headers = {"Accept-Language": languages.encode()} if languages else {}
    answer = described.post("/match", files={"file": ("q.jpg", QUERY)}, data=fields, headers=headers).json()

    assert (answer["place"]["name"], answer["place"]["description"]) == ("钟", "青铜")
    assert (answer["place"]["shown"]["name"], answer["place"]["shown"]["html"]) == (name, html)
    assert answer["candidates"][0]["place"] == answer["place"]


def test_a_place_is_read_in_the_visitors_language(described: AppClient):
    """The gateway passes the languages on, and says that the answer depends on them."""
    answer = described.get(PLACE, headers={"Accept-Language": "en"})

    assert (answer.json()["name"], answer.json()["shown"]["name"]) == ("钟", "Bell")
    assert "Accept-Language" in answer.headers["vary"]
