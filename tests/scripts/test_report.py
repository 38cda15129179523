"""The report's page: what stands on it, in which order, and that nothing on it is more than text."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from fakes.images import draw_place

from core.decision.explanations import ExplainedPair, explain
from core.evaluation.outcomes import QueryOutcome
from core.results import Correspondences, Verdict
from scripts.report.page import MOST_WRONG, SAMPLE, render
from scripts.report.pictures import Album, spread
from scripts.report.records import ReportedCandidate, ReportedQuery, RunFacts

NASTY = "<script>alert('{{ 1 }}')</script>&\"x"
FACTS = RunFacts("visitors", "default", "embedded", "geometric", None, 3, {"a": "Apple", "b": NASTY})
VOID = {"meta", "br"}


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> list[Path]:
    """Two photos and a file that is none."""
    folder = tmp_path_factory.mktemp("photos")
    for seed in (1, 2):
        draw_place(seed, (320, 240)).save(folder / f"{seed}.jpg")
    (folder / "broken.jpg").write_bytes(b"no photo")
    return [folder / "1.jpg", folder / "2.jpg", folder / "broken.jpg"]


def asked(photos, true_place, final_place, *, matched=True, labelled=True, file="q.jpg", error="", points=40):
    outcome = QueryOutcome(
        file,
        labelled,
        true_place,
        "s",
        ("a", "b"),
        final_place,
        matched,
        0.8,
        0.5,
        {"total": 12.0, "second_look": 3.0},
        error,
    )
    grid = np.random.default_rng(1).uniform(0, 1, (points, 2)).astype(np.float32)
    verdict = Verdict(matched, 0.8, f"{points} points agree", Correspondences(grid, grid))
    places = [final_place, "b" if final_place == "a" else "a"]
    judged = [ExplainedPair(place, FACTS.place_names[place], 0.5, verdict) for place in places]
    return ReportedQuery(
        outcome=outcome,
        photo=photos[0],
        candidates=tuple(
            ReportedCandidate(place, photos[1], 0.5, rank, verdict) for rank, place in enumerate(places, start=1)
        ),
        explanation=explain(judged, matched=matched),
        true_photo=photos[1],
    )


class Outline(HTMLParser):
    """The tags of a page, checked to nest; what they load; its chips in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.chips: list[str] = []
        self._in_chip = False
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        named = dict(attributes)
        self.addresses += [value for name, value in named.items() if name in ("href", "src", "xlink:href", "action")]
        self._in_chip = self._in_chip or named.get("class") == "chip"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self._in_chip:
            self.chips.append(data)
            self._in_chip = False


def outline(queries, **options) -> Outline:
    return Outline(render(queries, FACTS, **options))


def test_wrong_answers_come_first_and_the_worst_kind_before_all(photos):
    """False accepts, wrong places and missed ones stand in this order before any right answer."""
    page = outline(
        [
            asked(photos, "a", "a"),
            asked(photos, "a", "a", matched=False),
            asked(photos, "a", "b"),
            asked(photos, None, "a"),
            asked(photos, None, "a", matched=False),
        ]
    )

    assert page.chips == ["false accept", "wrong place", "missed", "right", "rightly refused"]
    assert page.open == []


def test_the_page_needs_nothing_but_itself(photos):
    """Every picture is inside, each once however often it is shown; nothing is loaded from elsewhere."""
    text = render([asked(photos, "a", "a"), asked(photos, "a", "b")], FACTS)

    for address in Outline(text).addresses:
        assert address.startswith(("#p", "data:image/jpeg;base64,"))
    assert text.count("data:image/jpeg") == 3
    assert not re.search(r"url\(|@import|https?://", text)


def test_names_from_files_are_text_and_never_markup(photos):
    """Names of files, places, sources and folders, and error messages, cannot become tags."""
    wrong = asked(photos, "a", "b", file=NASTY)
    unreadable = ReportedQuery(replace(wrong.outcome, error=NASTY, source=NASTY), photos[2])
    facts = replace(FACTS, query_folder=NASTY, collection=NASTY, encoder=NASTY, verifier=NASTY)

    text = render([wrong, unreadable, asked(photos, None, "b")], facts)

    assert Outline(text).tags.count("script") == 1
    assert "alert(&#39;" in text
    assert "alert('" not in text


def test_the_page_is_bounded(photos):
    """Of many wrong answers the first hundred have pictures and the rest a line, of right ones a sample is shown."""
    wrong = asked(photos, None, "a")
    queries = [replace(wrong, outcome=replace(wrong.outcome, file=f"wrong {n}")) for n in range(MOST_WRONG + 5)]
    queries += [asked(photos, "a", "a")] * (SAMPLE + 5)

    text, everything = render(queries, FACTS), outline(queries, all_pictures=True)
    page = Outline(text)

    assert (page.chips.count("false accept"), page.chips.count("right")) == (MOST_WRONG, SAMPLE)
    assert f"wrong {MOST_WRONG + 4}" in text
    assert (everything.chips.count("false accept"), everything.chips.count("right")) == (MOST_WRONG + 5, SAMPLE + 5)


def test_a_wrong_answer_shows_what_would_have_been_right(photos):
    """A gallery photo of the true place is on the card where another place came first, and only there."""
    label = "What it shows, in the gallery: "

    assert label in re.sub(r"<[^>]+>", "", render([asked(photos, "a", "b")], FACTS)).replace("图库中的正确照片", "")
    assert label not in re.sub(r"<[^>]+>", "", render([asked(photos, "a", "a")], FACTS)).replace("图库中的正确照片", "")


@pytest.mark.parametrize(
    "case", ["nothing verified", "no candidates", "unlabelled", "unreadable", "only strangers", "no points"]
)
def test_every_kind_of_query_has_its_card(photos, case):
    """Whatever is missing, the page is whole."""
    whole = asked(photos, "a", "b")
    without = tuple(replace(candidate, verdict=None) for candidate in whole.candidates)
    queries = {
        "nothing verified": [replace(whole, explanation=None, candidates=without, reason="not verified")],
        "no candidates": [
            replace(whole, outcome=replace(whole.outcome, final_place=None, matched=False), candidates=())
        ],
        "unlabelled": [asked(photos, None, "a", labelled=False)],
        "unreadable": [ReportedQuery(replace(whole.outcome, error="damaged", matched=False, timings_ms={}), photos[2])],
        "only strangers": [asked(photos, None, "a", matched=False)],
        "no points": [asked(photos, "a", "b", points=0)],
    }[case]

    page = outline(queries)

    assert len(page.chips) == 1
    assert page.open == []


def test_both_languages_are_on_the_page(photos):
    """Every sentence of the page has its other half."""
    text = render([asked(photos, "a", "b")], FACTS)

    assert text.count('<span lang="en">') == text.count('<span lang="zh-CN">') > 30
    assert "认错展品" in text


def test_pictures_are_small_and_carry_no_metadata(tmp_path):
    """A photo becomes a JPEG of the size asked for, without EXIF; one that cannot be read becomes none."""
    photo = draw_place(3, (900, 600))
    exif = photo.getexif()
    exif[0x010E] = "private words"
    photo.save(tmp_path / "photo.jpg", exif=exif)
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    album = Album()

    picture = album.add(tmp_path / "photo.jpg", 300)

    assert (picture.width, picture.height) == (300, 200)
    assert album.add(tmp_path / "photo.jpg", 300) is picture
    assert album.add(tmp_path / "broken.jpg") is None
    assert len(album.definitions()) < 60_000


def test_points_drawn_lie_far_apart():
    """Of a crowd and one point far off, the far one is drawn."""
    crowd = np.zeros((50, 2)) + np.linspace(0, 0.01, 50)[:, None]

    assert spread(np.vstack([crowd, [[1.0, 1.0]]]), 2) == [0, 50]
    assert spread(np.empty((0, 2)), 5) == []
