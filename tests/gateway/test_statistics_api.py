"""From visitors' questions to the operator's figures, through the public door."""

import csv
import io
from pathlib import Path

import pytest
from fakes.encoders import ThumbnailEncoder
from fakes.images import draw_place, encode
from in_process import AppClient, error_of

from services.retrieval.app import create_app as create_retrieval
from services.retrieval.settings import RetrievalSettings


def ask(product: AppClient, seed: int) -> str:
    """Match the photo of a place; the answer's request id."""
    answer = product.post("/match", files={"file": ("visitor.jpg", encode(draw_place(seed)))})
    assert answer.status_code == 200
    return answer.json()["request_id"]


def table(product: AppClient, **wanted: str) -> list[list[str]]:
    """A table as a spreadsheet program reads it."""
    answer = product.get("/collections/default/statistics.csv", params=wanted)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))


def test_figures_follow_from_what_visitors_asked(filled: AppClient):
    """An answered photo, a refused one and one that a visitor corrected are counted, and so is what they show."""
    ask(filled, 2)
    deleted = filled.request("DELETE", "/collections/default/places/place-2")  # the only one that is recognised
    refused, corrected = ask(filled, 4), ask(filled, 3)
    filled.post(f"/trash/{deleted.headers['X-Trash-Id']}/restore")
    filled.post("/feedback", json={"request_id": refused, "verdict": "not_in_collection"})
    filled.post("/feedback", json={"request_id": corrected, "verdict": "other_place", "place_id": "place-3"})

    figures = filled.get("/collections/default/statistics?days=2&time_zone=Asia/Shanghai&limit=3").json()

    counts = {"questions": 3, "answered": 1, "right": 0, "wrong": 0, "other_place": 1, "not_in_collection": 1}
    assert figures["total"] == counts
    assert [sum(part["questions"] for part in figures[parts]) for parts in ("days", "hours")] == [3, 3]
    assert (len(figures["days"]), len(figures["hours"])) == (2, 24)
    assert (figures["time_zone"], figures["kept_days"]) == ("Asia/Shanghai", 180)
    assert [(place["place_id"], place["questions"]) for place in figures["photographed"]["entries"]] == [
        ("place-2", 1),
        ("place-3", 1),
    ]
    assert (figures["photographed"]["total"], figures["never_photographed"]["total"]) == (2, 4)
    assert [place["place_id"] for place in figures["never_photographed"]["entries"]] == [
        "place-1",
        "place-4",
        "place-5",
    ]


def test_the_tables_hold_the_same_figures(filled: AppClient):
    """CSV for spreadsheet programs, with headers in either language."""
    request_id = ask(filled, 2)
    filled.post("/feedback", json={"request_id": request_id, "verdict": "right"})

    days, hours, places = (table(filled, table=name, days="7") for name in ("days", "hours", "places"))

    assert days[0] == ["date", "questions", "answered", "right", "wrong", "other_place", "not_in_collection"]
    assert (len(days), len(hours), len(places)) == (8, 25, 7)
    assert [sum(int(row[1]) for row in rows[1:]) for rows in (days, hours)] == [1, 1]
    assert places[:3] == [
        ["place_id", "place_name", "questions"],
        ["place-2", "place-2", "1"],
        ["place-1", "place-1", "0"],
    ]
    assert table(filled, language="zh")[0][0] == "日期"
    assert [len(row) for row in table(filled, table="hours", language="zh")] == [7] * 25


@pytest.mark.parametrize("name", ['=HYPERLINK("http://x")', "0012", "3-4"])
def test_a_name_stays_text_in_the_table(filled: AppClient, name: str):
    """A spreadsheet program shows what a place is called: it computes no formula, number or date of it."""
    filled.request("PATCH", "/collections/default/places/place-1", json={"name": name})

    assert ["place-1", f"\t{name}", "0"] in table(filled, table="places")


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ("days=0", 422, "days"),
        ("days=367", 422, "days"),
        ("limit=501", 422, "limit"),
        ("time_zone=Moon", 422, None),
        ("unknown=1", 422, "unknown"),
    ],
)
def test_what_cannot_be_counted_is_refused(filled: AppClient, query: str, status: int, field: str | None):
    """With what would be accepted."""
    answer = filled.get(f"/collections/default/statistics?{query}")

    assert (answer.status_code, error_of(answer).get("field")) == (status, field)


@pytest.mark.parametrize("path", ["statistics", "statistics.csv"])
def test_an_unknown_collection_has_no_figures(filled: AppClient, path: str):
    """It is said to be unknown, not unused."""
    answer = filled.get(f"/collections/elsewhere/{path}")

    assert (answer.status_code, error_of(answer)["code"]) == (404, "unknown_collection")


def test_a_server_without_records_says_so(tmp_path: Path):
    """Where the operator keeps no answers, nothing is counted, and the reply says why."""
    settings = RetrievalSettings(data_dir=tmp_path / "gallery", match_log_days=0)
    with AppClient(create_retrieval(settings, encoder=ThumbnailEncoder())) as retrieval:
        retrieval.post("/index/images", files={"file": ("a.jpg", encode(draw_place(1)))})

        figures = retrieval.get("/collections/default/statistics").json()

    assert (figures["kept_days"], figures["total"]["questions"]) == (0, 0)
