"""``POST /match`` while places are hidden, through the real gateway and both real services."""

from fakes.images import draw_place, encode, see_again
from in_process import AppClient

QUERY = encode(see_again(draw_place(2), seed=5).image)


def match(product: AppClient) -> dict:
    """Ask with a photo of place-2, and expect an answer."""
    answer = product.post("/match", files={"file": ("q.jpg", QUERY)})
    assert answer.status_code == 200, answer.text
    return answer.json()


def hide(product: AppClient, *numbers: int, hidden: bool = True) -> None:
    """Hide places, or show them again."""
    for number in numbers:
        changed = product.request("PATCH", f"/collections/default/places/place-{number}", json={"hidden": hidden})
        assert changed.json()["hidden"] is hidden


def test_a_hidden_place_is_no_answer_until_it_is_shown_again(filled: AppClient):
    """The very photo of it gets an honest no, with five other candidates; then it is answered as before."""
    before = match(filled)
    hide(filled, 2)
    meanwhile = match(filled)
    hide(filled, 2, hidden=False)
    again = match(filled)

    assert before["place"]["id"] == again["place"]["id"] == "place-2"
    assert (meanwhile["matched"], meanwhile["answer"], meanwhile["place"]) == (False, "none", None)
    assert sorted(candidate["place"]["id"] for candidate in meanwhile["candidates"]) == [
        f"place-{number}" for number in (1, 3, 4, 5, 6)
    ]


def test_other_places_are_answered_while_one_is_hidden(filled: AppClient):
    """The answer is the same as with all places, and the hidden one is not among the candidates."""
    hide(filled, 1)

    answer = match(filled)

    assert (answer["answer"], answer["place"]["id"], answer["place"]["hidden"]) == ("match", "place-2", False)
    assert "place-1" not in {candidate["place"]["id"] for candidate in answer["candidates"]}


def test_where_all_places_are_hidden_nothing_is_found(filled: AppClient):
    """That is an answer, not an error."""
    hide(filled, *range(1, 7))

    answer = match(filled)

    assert (answer["matched"], answer["answer"], answer["candidates"]) == (False, "none", [])
