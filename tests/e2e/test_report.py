"""The report of test_matching.py, opened from the disk in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from e2e.scenes import reference, snapshot, stranger
from e2e.visitor import DESKTOP, SMALL_PHONE, Visitor
from playwright.sync_api import Browser, expect

from core.decision.explanations import ExplainedPair, explain
from core.evaluation.outcomes import QueryOutcome
from core.results import Correspondences, Verdict
from scripts.report.page import write_report
from scripts.report.records import ReportedCandidate, ReportedQuery, RunFacts

NAMES = {"coffee": "Cup of coffee", "rocket": "Rocket"}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three answers: right, wrong, and one to a stranger."""
    folder = tmp_path_factory.mktemp("report")
    for place, name in NAMES.items():
        (folder / f"{place}.jpg").write_bytes(reference(name))
    photos = {"right.jpg": snapshot("Cup of coffee"), "wrong.jpg": snapshot("Rocket"), "stranger.jpg": stranger()}
    for name, data in photos.items():
        (folder / name).write_bytes(data)

    def asked(file: str, true_place: str | None, order: tuple[str, ...]) -> ReportedQuery:
        points = np.random.default_rng(1).uniform(0.1, 0.9, (60, 2)).astype(np.float32)
        verdicts = [Verdict(True, 0.9, "60 points agree", Correspondences(points, points)) for _ in order]
        judged = [ExplainedPair(place, NAMES[place], 0.5, each) for place, each in zip(order, verdicts, strict=True)]
        return ReportedQuery(
            QueryOutcome(file, True, true_place, "", order, order[0], True, 0.9, 0.5, {"verify": 900, "total": 1200}),
            folder / file,
            tuple(
                ReportedCandidate(place, folder / f"{place}.jpg", 0.5, rank, each)
                for rank, (place, each) in enumerate(zip(order, verdicts, strict=True), start=1)
            ),
            explanation=explain(judged, matched=True),
            true_photo=folder / f"{true_place}.jpg" if true_place else None,
        )

    queries = [
        asked("right.jpg", "coffee", ("coffee", "rocket")),
        asked("wrong.jpg", "rocket", ("coffee", "rocket")),
        asked("stranger.jpg", None, ("rocket", "coffee")),
    ]
    write_report(folder / "report.html", queries, RunFacts("visitors", "default", "e", "v", None, 2, NAMES))
    return folder / "report.html"


@pytest.fixture(params=[(DESKTOP, "en-GB", False), (SMALL_PHONE, "zh-CN", True)], ids=["desktop", "phone"])
def reader(request: pytest.FixtureRequest, browser: Browser, report: Path) -> Iterator[Visitor]:
    """Somebody who opens the file, at a desk in English or on a phone in Chinese."""
    device, language, dark = request.param
    visitor = Visitor(browser, report.as_uri(), device=device, language=language, dark=dark)
    visitor.page.goto(report.as_uri())
    yield visitor
    complaints = visitor.complaints
    visitor.leave()
    assert complaints == []


def test_the_report_reads_well(reader: Visitor) -> None:
    """Nothing sticks out sideways, the worst answer is first, its pictures and lines are drawn, its details open."""
    page = reader.page
    is_phone = page.viewport_size["width"] < DESKTOP.width

    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    card = page.locator(".card").first
    expect(card.locator(".chip")).to_contain_text("误认" if is_phone else "false accept")
    expect(card.locator(".tall" if is_phone else ".wide")).to_be_visible()
    expect(card.locator(".wide" if is_phone else ".tall")).to_be_hidden()
    drawn = card.locator("svg:visible use").first.bounding_box()
    assert drawn["width"] > 100
    card.locator(".rows summary").click()
    expect(card.get_by_role("row")).to_have_count(3)
    page.locator(".wrong-place .truth summary").click()
    expect(page.locator(".truth .photo")).to_be_visible()


def test_one_button_changes_the_language(reader: Visitor) -> None:
    """All words on the page change, and back."""
    title = reader.page.get_by_role("heading", level=1)
    first, button, second, back = "Matching report", "中文", "识别评估报告", "English"
    if title.inner_text() != first:
        first, button, second, back = second, back, first, button

    reader.page.get_by_role("button", name=button).click()

    expect(title).to_have_text(second, use_inner_text=True)
    reader.page.get_by_role("button", name=back).click()
    expect(title).to_have_text(first, use_inner_text=True)
