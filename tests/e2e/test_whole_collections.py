"""A collection's name, its end, its health, its promise and its recent matches, on the page."""

import math
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from e2e.product import Product
from e2e.scenes import fill, snapshot
from e2e.visitor import DESKTOP, PHONE, Visitor
from playwright.sync_api import Page, Route, expect

from contracts.calibration import (
    CalibrationBody,
    CalibrationJob,
    CalibrationReply,
    CurvePoint,
    IntervalBody,
    QuestionThresholdBody,
)
from contracts.collections import (
    AdviceBody,
    AdviceList,
    FaultyPhotos,
    HealthBody,
    HealthReply,
    PlaceRefBody,
    PlaceRefs,
    SimilarPlacesList,
)

Visit = Callable[..., Visitor]

ON_BOTH = pytest.mark.parametrize("person", [{"device": DESKTOP}, {"device": PHONE, "language": "zh-CN"}])


def collections(product: Product) -> list[str]:
    """The names of all collections."""
    return [each["id"] for each in httpx.get(f"{product.address}/index/collections").json()["collections"]]


def unfold(page: Page, title: str | re.Pattern[str]) -> None:
    """Open a part of the page."""
    page.locator("summary", has=page.get_by_role("heading", name=title)).click()


def test_a_collection_is_renamed(visit: Visit, product: Product) -> None:
    """The page moves on to the new name; a name in use is refused in the dialog, with the reason."""
    fill(product, "former")
    fill(product, "in-use")
    operator = visit("#/collections/former")
    operator.expect_complaint("422")  # the browser's own note of the refusal
    page = operator.page

    page.get_by_role("button", name="Rename").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("in-use")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("There is a collection “in-use” already")
    dialog.get_by_label("Name").fill("东馆/1")
    dialog.get_by_role("button", name="Save").click()

    expect(page.get_by_role("heading", name="东馆/1", level=1)).to_be_visible()
    expect(page.get_by_text("3 places · 3 photos")).to_be_visible()
    assert "former" not in collections(product)


def test_a_deleted_collection_can_be_had_back(visit: Visit, product: Product) -> None:
    """It is asked first, and gone at once; undone it is all there, from the trash as well."""
    fill(product, "kept")  # without any collection, the page helps to make the first one
    fill(product, "doomed")
    operator = visit("#/collections/doomed")
    page = operator.page

    question = operator.delete_collection()
    expect(question).to_have_accessible_name("Delete the collection “doomed”?")
    expect(question.get_by_role("button", name="Cancel")).to_be_focused()
    question.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="Collections", level=1)).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("doomed"))).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("link", name=re.compile("doomed"))).to_be_visible()
    assert "doomed" in collections(product)

    page.get_by_role("link", name=re.compile("doomed")).click()
    expect(page.get_by_role("heading", name="doomed", level=1)).to_be_visible()
    operator.delete_collection().get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="Collections", level=1)).to_be_visible()
    assert "doomed" not in collections(product)
    unfold(page, "Trash")
    page.get_by_role("button", name="Restore doomed").click()
    expect(page.get_by_role("link", name=re.compile("doomed"))).to_be_visible()
    assert "doomed" in collections(product)


def test_the_same_advice_is_given_once(visit: Visit, product: Product) -> None:
    """45 places with one photo get one sentence, which unfolds to all of them; the tools stand above the places."""
    fill(product, "advised")
    visitor = visit("#/collections")
    advice = [
        AdviceBody(
            place=PlaceRefBody(place_id=str(number), name=f"Place {number}", images=1),
            reasons=["one_view"],
            en="en",
            zh="zh",
        )
        for number in range(45)
    ]

    def answer(route: Route) -> None:
        reply = HealthReply(collection="advised", state="fresh", generation=1, report=a_report(advice))
        route.fulfill(json=reply.model_dump(mode="json"))

    visitor.page.route("**/health?*", answer)
    visitor.go("#/collections/advised")
    page = visitor.page

    unfold(page, "Health of the collection")
    sentence = page.get_by_text("45 places have one photo only")
    expect(sentence).to_be_visible()
    expect(page.locator(".findings li")).to_have_count(0)
    expect(page.get_by_text(re.compile(r"^and \d+ more"))).to_have_count(0)
    sentence.click()
    expect(page.get_by_role("link", name="Place 44")).to_be_visible()
    assert visitor.boxes(".folded")[-1]["y"] < visitor.boxes(".cards")[0]["y"]


def test_recent_matches_show_what_was_said_of_them(visit: Visit, product: Product) -> None:
    """The newest first, with the feedback that was given."""
    fill(product, "asked")
    answer = httpx.post(
        f"{product.address}/match", data={"collection": "asked"}, files={"file": snapshot("Rocket")}, timeout=60
    ).json()
    httpx.post(f"{product.address}/feedback", json={"request_id": answer["request_id"], "verdict": "right"})
    page = visit("#/collections/asked").page

    unfold(page, "Recent matches")

    expect(page.locator(".recent li").get_by_role("link", name="Rocket")).to_be_visible()
    expect(page.locator(".recent li")).to_contain_text([re.compile(r"confidence \d+%")])
    expect(page.locator(".recent .pill")).to_have_text("said to be right")
    page.get_by_label("Only those that somebody commented on").check()
    expect(page.locator(".recent li")).to_have_count(1)


def a_report(advice: list[AdviceBody]) -> HealthBody:
    """A check that found nothing but this."""
    nothing: dict[str, Any] = {"total": 0, "entries": []}
    return HealthBody(
        generation=1, computed_at="2026-01-01T00:00:00+00:00", took_s=1, is_complete=True, images=45, places=45,
        photos_measured=45, photos_compared=45, pairs_tested=0, pairs_verified=0,
        faulty_photos=FaultyPhotos(**nothing), pairs=SimilarPlacesList(**nothing), one_view=PlaceRefs(**nothing),
        unnamed=PlaceRefs(**nothing), undescribed=PlaceRefs(**nothing),
        advice=AdviceList(total=len(advice), entries=advice),
    )  # fmt: skip


def interval(share: float) -> IntervalBody:
    """A share of 80."""
    return IntervalBody(share=share, low=max(0, share - 0.1), high=min(1, share + 0.1), count=80)


def a_reply(collection: str, target: float | None, job: CalibrationJob | None) -> CalibrationReply:
    """What the server says of a collection; a target where it has been measured."""
    if target is None:
        return CalibrationReply(collection=collection, state="none", job=job)
    targets = [0.005, 0.01, 0.02, 0.05, 0.1]
    curve = [
        CurvePoint(target=each, threshold=-each, promised=each >= 0.02, answered=interval(0.5 + 4 * each))
        for each in targets
    ]
    body = CalibrationBody(
        target=target, threshold=0, threshold_confidence=0.5, promised=True, needed_unknown=99, unknown_by_origin={},
        known_by_origin={"simulated": 80}, false_answers=interval(0), answered=interval(0.5), right=interval(0.5),
        wrong_place=interval(0), reliability=[], calibration_error=None, curve=curve, encoder="e", verifier="v",
        prompt_style=None, made_at="2026-01-01T00:00:00+00:00", simulated=True, maybe_target=0.2,
        questions=[
            QuestionThresholdBody(photos=1, threshold=0, promised=True, needed_unknown=99, maybe_threshold=-1),
        ],
    )  # fmt: skip
    return CalibrationReply(collection=collection, state="valid", calibration=body, job=job)


@ON_BOTH
def test_the_slider_says_what_a_promise_costs(visit: Visit, product: Product, person: dict) -> None:
    """Moved with the keyboard it tells the share of photos answered; let go, it is sent. Measuring can be stopped."""
    name = f"promised-{person['device'].width}"
    fill(product, name)
    state: dict[str, CalibrationReply] = {"reply": a_reply(name, None, None)}
    asked: list[tuple[str, str | None]] = []

    def answer(route: Route) -> None:
        request = route.request
        asked.append((request.method, request.post_data))
        if request.method == "POST":
            job = CalibrationJob(
                state="running", done=3, total=40, seconds_left=60, target=0.02, started_at="2026-01-01T00:00:00+00:00"
            )
            state["reply"] = a_reply(name, None, job)
            return route.fulfill(status=202, json=job.model_dump(mode="json"))
        if request.method == "DELETE":
            state["reply"] = a_reply(name, 0.02, None)
            return route.fulfill(status=204)
        if request.method == "PATCH":
            state["reply"] = a_reply(name, request.post_data_json["target"], None)
        return route.fulfill(json=state["reply"].model_dump(mode="json"))

    visitor = visit("#/collections", **person)
    visitor.page.route("**/calibration", answer)
    visitor.go(f"#/collections/{name}")
    page = visitor.page

    unfold(page, re.compile("How sure|识别的严格程度"))
    page.get_by_role("button", name=re.compile("^Measure|^用本图库")).click()
    expect(page.get_by_text(re.compile("3 of 40|3 / 40"))).to_be_visible()
    page.get_by_role("button", name=re.compile("Stop measuring|停止测量")).click()
    slider = page.get_by_role("slider")
    expect(page.locator(".promise")).to_contain_text("58%")
    expect(page.get_by_text(re.compile("real photos are harder|实际拍的照片更难辨认"))).to_be_visible()
    slider.focus()
    page.keyboard.press("ArrowRight")

    expect(page.locator(".promise")).to_contain_text("70%")
    assert ("PATCH", '{"target":0.05}') in asked
    assert "5%" in slider.get_attribute("aria-valuetext")


def test_a_collection_is_really_measured(visit: Visit, product: Product) -> None:
    """From the button to the running measurement, on the product itself; stopping ends it."""
    fill(product, "measured")
    page = visit("#/collections/measured").page

    unfold(page, "How sure must an answer be?")
    page.get_by_role("button", name="Measure with this collection's photos").click()
    expect(page.get_by_text(re.compile(r"of \d+ photos asked about"))).to_be_visible()
    page.get_by_role("button", name="Stop measuring").click()

    expect(page.get_by_role("button", name="Measure with this collection's photos")).to_be_visible()


@pytest.mark.slow
def test_the_slider_rests_on_a_real_measurement(visit: Visit, product: Product) -> None:
    """The sample measured in the background to its end: the slider tells its shares, and where it is let go counts."""
    httpx.post(f"{product.address}/sample").raise_for_status()
    operator = visit("#/collections")
    while httpx.get(f"{product.address}/sample").json()["state"] == "building":
        operator.page.wait_for_timeout(200)
    operator.go("#/collections/sample")
    page = operator.page

    unfold(page, "How sure must an answer be?")
    page.get_by_role("button", name="Measure with this collection's photos").click()
    expect(page.get_by_text(re.compile(r"of \d+ photos asked about"))).to_be_visible()
    slider = page.get_by_role("slider")
    expect(slider).to_be_visible(timeout=240_000)
    measured = httpx.get(f"{product.address}/collections/sample/calibration").json()["calibration"]
    nearest = min(range(len(measured["curve"])), key=lambda at: abs(measured["curve"][at]["target"] - 0.02))
    assert (measured["target"], slider.input_value()) == (0.02, str(nearest))
    assert measured["answered"]["count"] == 8
    expect(page.get_by_text("An estimate: to promise it")).to_be_visible()
    slider.focus()
    with page.expect_response(lambda answer: answer.request.method == "PATCH") as changed:
        page.keyboard.press("End")

    assert changed.value.ok
    point = measured["curve"][-1]
    kept = httpx.get(f"{product.address}/collections/sample/calibration").json()["calibration"]
    assert kept["target"] == point["target"]
    expect(page.locator(".promise")).to_contain_text(f"{math.floor(100 * point['answered']['share'] + 0.5)}%")
