"""What a visitor says of an answer, and where it arrives."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from calibrated import calibrate_to_maybe
from e2e.product import Product
from e2e.scenes import DESCRIPTION, fill, snapshot, stranger
from e2e.visitor import PHONE, Visitor
from playwright.sync_api import Browser, Locator, expect

Visit = Callable[..., Visitor]

PAGE = "#/match?collection=commented"


@pytest.fixture(scope="module")
def commented(product: Product) -> Product:
    """The product with a collection of three places."""
    fill(product, "commented")
    return product


def last_said(product: Product, collection: str = "commented") -> Any:
    """What is on record of the newest match that was commented: verdict and place."""
    answer = httpx.get(f"{product.address}/collections/{collection}/matches", params={"commented": True, "limit": 1})
    (newest,) = answer.json()["matches"]
    return newest["feedback"]["verdict"], newest["feedback"]["place_id"]


def say(visitor: Visitor, words: str) -> Locator:
    """Choose, and wait until the server has it."""
    button = visitor.page.locator(".feedback").get_by_role("button", name=words, exact=True)
    with visitor.page.expect_response("**/feedback") as answered:
        button.click()
    assert answered.value.ok
    expect(button).to_have_attribute("aria-pressed", "true")
    return button


def test_a_visitor_says_wrong_and_what_it_is_and_takes_it_back(visit: Visit, commented: Product) -> None:
    """Each choice is kept at once and replaces the former; the keyboard stays where it was."""
    visitor = visit(PAGE, device=PHONE)
    visitor.show_photo(snapshot("Cat Chelsea"))

    expect(visitor.page.get_by_role("button", name="It is something else")).to_be_hidden()
    button = say(visitor, "Wrong")
    assert last_said(commented) == ("wrong", None)
    expect(button).to_be_focused()
    expect(visitor.page.locator(".feedback").get_by_text("Do you know what it is?")).to_be_visible()
    say(visitor, "Rocket")
    assert last_said(commented) == ("other_place", "Rocket")
    expect(
        visitor.page.locator(".feedback").get_by_text("Thank you. You can still change your answer.")
    ).to_be_visible()
    say(visitor, "It is something else")
    assert last_said(commented) == ("wrong", None)
    say(visitor, "Right")
    assert last_said(commented) == ("right", None)
    expect(visitor.page.get_by_role("button", name="It is something else")).to_be_hidden()


def test_a_refused_photo_can_be_claimed_for_one_of_the_guesses(visit: Visit, commented: Product) -> None:
    """Every guess is offered, in Chinese as well, and a change of language forgets nothing."""
    visitor = visit(PAGE, device=PHONE, language="zh-CN")
    visitor.show_photo(stranger())

    say(visitor, "其实有")
    say(visitor, "Cup of coffee")
    expect(visitor.page.locator("#live")).to_have_text("谢谢。您随时可以更改。")
    visitor.page.get_by_role("button", name="Switch to English").click()

    assert last_said(commented) == ("other_place", "Cup of coffee")
    chosen = visitor.page.locator(".feedback").get_by_role("button", name="Cup of coffee", exact=True)
    expect(chosen).to_have_attribute("aria-pressed", "true")


def test_what_could_not_be_sent_is_not_shown_as_said(visit: Visit, commented: Product) -> None:
    """After a lost connection the choice is open again, and the second attempt counts."""
    visitor = visit(PAGE)
    visitor.expect_complaint("ERR_FAILED")
    visitor.show_photo(snapshot("Rocket"))
    visitor.page.route("**/feedback", lambda route: route.abort(), times=1)
    right = visitor.page.get_by_role("button", name="Right", exact=True)

    right.click()

    expect(visitor.page.locator(".feedback").get_by_text("That could not be sent")).to_be_visible()
    expect(right).to_have_attribute("aria-pressed", "false")
    say(visitor, "Right")
    assert last_said(commented) == ("right", None)


def test_where_the_server_keeps_nothing_the_question_is_not_asked_twice(browser: Browser, lessened: Product) -> None:
    """The refusal is said once, plainly; the next answer comes without the question."""
    visitor = Visitor(browser, lessened.address, device=PHONE)
    visitor.expect_complaint("status of 404")
    visitor.go("#/match?collection=museum")
    visitor.show_photo(snapshot("Rocket"))

    visitor.page.get_by_role("button", name="Right", exact=True).click()
    expect(visitor.page.locator(".feedback").get_by_text("this server keeps no record")).to_be_visible()
    expect(visitor.page.locator(".feedback").get_by_role("button")).to_have_count(0)
    visitor.show_photo(snapshot("Cat Chelsea"))

    expect(visitor.page.get_by_role("heading", name="Cat Chelsea", level=1)).to_be_visible()
    expect(visitor.page.locator(".feedback")).to_have_count(0)
    assert visitor.complaints == []
    visitor.leave()


def test_a_visitor_is_asked_about_a_place_that_is_not_certain(visit: Visit, product: Product) -> None:
    """Between the two thresholds of a calibration the page asks; one tap confirms the place, another takes it back."""
    fill(product, "unsure")
    photo = {"file": ("cat.jpg", snapshot("Cat Chelsea"))}
    certain = httpx.post(f"{product.address}/match", files=photo, data={"collection": "unsure"}, timeout=120).json()
    calibrate_to_maybe(product.data, certain)
    visitor = visit("#/match?collection=unsure", device=PHONE)
    visitor.show_photo(snapshot("Cat Chelsea"))

    expect(visitor.page.get_by_role("heading", name="Cat Chelsea")).to_be_visible()
    expect(visitor.page.locator(".eyebrow")).to_have_text("Perhaps")
    expect(visitor.page.get_by_role("heading", name="Is it this one?")).to_be_visible()
    say(visitor, "Yes, it is")
    assert last_said(product, "unsure") == ("other_place", "Cat Chelsea")
    expect(visitor.page.get_by_role("button", name="It is something else")).to_be_hidden()
    visitor.page.get_by_role("button", name="Read about “Cat Chelsea”", exact=True).click()
    expect(visitor.page.get_by_role("dialog")).to_contain_text(DESCRIPTION)
    visitor.page.keyboard.press("Escape")
    say(visitor, "No, it is not")
    assert last_said(product, "unsure") == ("wrong", None)
