"""From the operator's text in another language to the visitor whose phone speaks it."""

from collections.abc import Callable

from e2e.product import Product
from e2e.scenes import DESCRIPTION, fill, snapshot
from e2e.visitor import PHONE, Visitor
from playwright.sync_api import expect

Visit = Callable[..., Visitor]


def test_an_exhibit_is_read_in_the_language_of_the_phone(visit: Visit, product: Product) -> None:
    """Written on the page with a mark for the machine, it is read on a phone in that language, formatted and linked."""
    fill(product, "polyglot")
    operator = visit("#/collections/polyglot/places/Rocket").page
    operator.get_by_role("button", name="Edit").click()
    operator.get_by_role("heading", name="Other languages").click()
    operator.get_by_label("Language", exact=True).fill("DE")
    operator.get_by_role("button", name="Add a language").click()
    german = operator.get_by_role("group", name="German (de)")
    german.get_by_label("Name").fill("Rakete")
    german.get_by_label("Description").fill("**Drei** Stufen.\n\nSiehe https://museum.example/rakete.")
    german.get_by_label("Machine translation").check()
    operator.get_by_role("button", name="Save").click()
    expect(operator.get_by_role("button", name="Edit")).to_be_visible()

    visitor = visit("#/exhibit/polyglot/Rocket", language="de-DE", device=PHONE)
    page = visitor.page
    expect(page.get_by_role("heading", name="Rakete", level=1)).to_be_visible()
    expect(page.locator(".description[lang=de] p")).to_have_count(2)
    expect(page.locator(".description strong")).to_have_text("Drei")
    expect(page.get_by_role("link", name="https://museum.example/rakete")).to_have_attribute("target", "_blank")
    expect(page.get_by_text("Translated by a machine")).to_be_visible()

    visitor.turn_to("#/match?collection=polyglot")
    visitor.show_photo(snapshot("Rocket"))
    expect(page.get_by_role("heading", name="Rakete", level=1)).to_be_visible()
    page.get_by_role("button", name="切换到中文").click()  # a language without a text: the collection's own is shown
    expect(page.get_by_role("heading", name="Rocket", level=1)).to_be_visible()
    expect(page.locator(".description")).to_have_text(DESCRIPTION)
