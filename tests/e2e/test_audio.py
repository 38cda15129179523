"""From the operator's recordings to the visitor who listens in the language of the phone."""

from collections.abc import Callable

import httpx
from e2e.product import Product
from e2e.scenes import fill, snapshot
from e2e.test_page import violations
from e2e.visitor import SMALL_PHONE, Visitor
from fakes.sounds import wav
from playwright.sync_api import FilePayload, Locator, expect

Visit = Callable[..., Visitor]

DURATION = """(audio) => new Promise((resolve, reject) => {
  audio.onloadedmetadata = () => resolve(audio.duration);
  audio.onerror = () => reject(audio.error);
  audio.preload = "auto";
  audio.load();
})"""


def add(dialog: Locator, language: str, seconds: float) -> None:
    """Choose a recording for a language."""
    file: FilePayload = {"name": "guide.wav", "mimeType": "audio/wav", "buffer": wav(seconds)}
    dialog.get_by_label("Language of the recording").fill(language)
    dialog.get_by_label("Choose a recording").set_input_files(file)
    expect(dialog.locator(f"audio[src$='language={language}']")).to_be_visible()


def test_a_visitor_hears_the_recording_in_the_language_of_the_phone(visit: Visit, product: Product, axe: str) -> None:
    """Stored by the operator in two languages, one with a transcript: the phone plays its own, and shows the text."""
    fill(product, "speaking")
    operator = visit("#/collections/speaking/places/Rocket")
    operator.page.get_by_role("button", name="Audio").click()
    dialog = operator.page.get_by_role("dialog", name="Audio")
    expect(dialog.get_by_text("There is no recording yet.")).to_be_visible()
    add(dialog, "en", 0.5)
    add(dialog, "de", 1.5)
    german = dialog.get_by_role("group", name="German (de)")
    german.get_by_label("Transcript").fill("**Drei** Stufen.")
    german.get_by_role("button", name="Save the transcript").click()
    expect(dialog.get_by_text("Saved")).to_be_visible()
    assert violations(operator, axe) == []

    visitor = visit("#/exhibit/speaking/Rocket", language="de-DE", device=SMALL_PHONE)
    page = visitor.page
    audio = page.get_by_label("Audio · German")
    expect(audio).to_be_visible()
    assert audio.evaluate(DURATION) == 1.5
    page.get_by_text("Read the transcript").click()
    expect(page.locator(".description[lang=de] strong")).to_have_text("Drei")
    assert page.evaluate("document.documentElement.scrollWidth") <= SMALL_PHONE.width
    assert violations(visitor, axe) == []

    visitor.turn_to("#/match?collection=speaking")
    visitor.show_photo(snapshot("Rocket"))
    expect(page.get_by_label("Audio · German")).to_be_visible()


def test_a_draft_overwrites_no_transcript_of_somebody_else(visit: Visit, product: Product) -> None:
    """It is kept until the transcript that it was begun from has changed, or is deleted with its recording."""
    fill(product, "drafted")
    page = visit("#/collections/drafted/places/Rocket").page
    page.get_by_role("button", name="Audio").click()
    dialog = page.get_by_role("dialog", name="Audio")
    english = dialog.get_by_role("group", name="English (en)")
    transcript = english.get_by_label("Transcript")
    add(dialog, "en", 0.1)
    transcript.fill("Mine")
    add(dialog, "de", 0.1)
    expect(transcript).to_have_value("Mine")

    change = {"texts": {"en": {"transcript": "Theirs"}}}
    httpx.patch(f"{product.address}/collections/drafted/places/Rocket", json=change).raise_for_status()
    add(dialog, "fr", 0.1)
    expect(transcript).to_have_value("Theirs")

    transcript.fill("Mine again")
    english.get_by_role("button", name="Delete").click()
    question = page.get_by_role("dialog", name="Delete the recording in English")
    question.get_by_role("button", name="Delete").click()
    expect(english).to_have_count(0)
    add(dialog, "en", 0.1)
    expect(transcript).to_have_value("")


def test_recordings_go_with_an_export_to_another_collection(visit: Visit, product: Product) -> None:
    """The archive of the table, chosen on the page of another collection, brings photos, audio and transcripts."""
    fill(product, "lent")
    address = {"collection": "lent", "place_id": "Rocket", "language": "en"}
    httpx.put(f"{product.address}/index/places/audio", params=address, content=wav()).raise_for_status()
    change = {"texts": {"en": {"transcript": "Three stages."}}}
    httpx.patch(f"{product.address}/collections/lent/places/Rocket", json=change).raise_for_status()
    page = visit("#/collections/lent/table").page
    with page.expect_download() as saved:
        page.get_by_role("link", name="Export with photos and audio (ZIP)").click()
    assert saved.value.suggested_filename == "lent.zip"

    operator = visit("#/collections/borrowed")
    operator.choose([("lent.zip", saved.value.path().read_bytes())], "zip")
    expect(operator.page.get_by_text("3 photos · manifest.csv · 1 recording")).to_be_visible()
    operator.page.get_by_role("button", name="Add 3 photos").click()
    expect(operator.page.get_by_text("One place was updated from the manifest.")).to_be_visible()

    heard = httpx.get(f"{product.address}/index/places/audio", params={**address, "collection": "borrowed"})
    place = httpx.get(f"{product.address}/collections/borrowed/places/Rocket").json()
    assert (heard.content, place["texts"]["en"]["transcript"]) == (wav(), "Three stages.")
