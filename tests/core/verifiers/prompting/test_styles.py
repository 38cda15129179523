"""Prompt styles: the built-in ones, and files of one's own."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import InvalidRequest
from core.verifiers.prompting.styles import Shown, compose, digest, load_styles


def test_the_five_styles_of_the_contract_exist():
    """The styles that users name in code are there, in the order in which they are documented, and a reranker's."""
    assert list(load_styles()) == ["simple", "scenic_guide", "strict", "chinese", "detailed", "reranker"]


def test_the_digests_of_earlier_styles_stay():
    """A calibration made with a style is not stale because styles have a new field."""
    assert digest(load_styles()["simple"]) == "e692966b"
    assert digest(replace(load_styles()["simple"], exact_words=True)) != digest(load_styles()["simple"])


def test_a_digest_for_several_photos_holds_their_texts_and_number():
    """A calibration made with three photos in a question says nothing of questions with one, two or other texts."""
    style = load_styles()["simple"]
    digests = [digest(style, photos) for photos in (1, 2, 3)]

    assert len({*digests, digest(replace(style, views_cue="Same? yes or no."), 3)}) == 4


@pytest.mark.parametrize("name", list(load_styles()))
def test_every_cue_asks_for_the_answer_words(name: str):
    """Each style's question, or without one its instructions, names both words that its answer may be."""
    style = load_styles()[name]
    for cue in (style.cue, style.views_cue):
        asked = cue or style.instructions
        assert style.yes[0] in asked
        assert style.no[0] in asked
    assert len(style.instructions) > 100


def test_strict_asks_for_more_than_a_leaning():
    """Only the strict style rejects a pair to which the model leans with 0.7."""
    accepting = {name for name, style in load_styles().items() if style.accepts(0.7)}
    assert accepting == {"simple", "scenic_guide", "chinese", "detailed", "reranker"}


def test_an_unknown_style_is_refused_with_the_known_ones():
    """A misspelt style fails with the list of those that exist."""
    with pytest.raises(InvalidRequest, match="unknown prompt style: 'Strict'; known: simple, scenic_guide"):
        load_styles().choose("Strict")


def test_a_style_of_ones_own_takes_the_rest_from_its_base(tmp_path: Path):
    """A file names what differs; the rest comes from the style it is based on, or from ``simple``."""
    file = tmp_path / "styles.toml"
    file.write_text(
        '[careful]\nbased_on = "strict"\nthreshold = 0.95\n\n[simple]\ncue = "Same? yes or no."\n\n'
        '[both]\nbased_on = "careful"\nyes = ["match"]\nno = ["different"]\n',
        encoding="utf-8",
    )
    styles = load_styles(file)
    assert styles["careful"].instructions == styles["strict"].instructions
    assert styles["careful"].threshold == 0.95
    assert styles["simple"].cue == "Same? yes or no."
    assert styles["simple"].instructions == load_styles()["simple"].instructions
    assert (styles["both"].yes, styles["both"].threshold) == (("match",), 0.95)


def test_only_a_style_with_texts_for_several_photos_shows_several(tmp_path: Path):
    """A question of one's own is never mixed with another style's text for several photos."""
    file = tmp_path / "styles.toml"
    file.write_text(
        '[stricter]\nbased_on = "strict"\nthreshold = 0.95\n\n[german]\ncue = "Gleich? yes, no."\n\n'
        '[half]\ncandidate_label = "Bild:"\nviews_label = "Bilder:"\n\n'
        '[both]\ncue = "Gleich? yes, no."\nviews_label = "Bilder:"\nviews_cue = "Alle gleich? yes, no."\n\n'
        '[never]\nviews_label = ""\n',
        encoding="utf-8",
    )
    shown = {name: bool(style.views_label) for name, style in load_styles(file).items()}

    assert {name for name, several in shown.items() if not several} == {"detailed", "german", "half", "never"}
    assert load_styles(file)["both"].question(2) == "Alle gleich? yes, no."
    assert load_styles(file)["stricter"].question(2) == load_styles()["strict"].views_cue


def test_toml_and_json_say_the_same(tmp_path: Path):
    """A style means the same in either file format."""
    (tmp_path / "a.toml").write_text('[mine]\ncue = "Gleich? ja oder nein."\nyes = ["ja"]\nno = ["nein"]\n')
    (tmp_path / "a.json").write_text(
        json.dumps({"mine": {"cue": "Gleich? ja oder nein.", "yes": ["ja"], "no": ["nein"]}})
    )
    assert load_styles(tmp_path / "a.toml")["mine"] == load_styles(tmp_path / "a.json")["mine"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[mine]\nthreshold = 1.5\n", r"mine.threshold is 1.5; accepted: a number in \[0, 1\]"),
        ("[mine]\nthreshold = true\n", "mine.threshold is True"),
        ("[mine]\nyes = []\n", r"mine.yes is \[\]; accepted: a list of at least one word"),
        ('[mine]\nyes = "ja"\n', "mine.yes is 'ja'"),
        ('[mine]\nyes = ["No"]\n', r"style mine has \['no'\] among both yes and no"),
        ('[mine]\ncue = " "\n', "mine.cue is ' '; accepted: a text"),
        ("[mine]\nviews_cue = 2\n", "mine.views_cue is 2; accepted: a text"),
        ("[mine]\ncue = 3\n", "mine.cue is 3; accepted: a text"),
        ('[mine]\nqeu = "x"\n', "mine.qeu is no field of a prompt style; accepted: based_on, instructions"),
        ('[mine]\nreasons_cue = ""\n', "mine.reasons_cue is ''; accepted: a text"),
        ("[mine]\nexact_words = 1\n", "mine.exact_words is 1; accepted: true or false"),
        ("[mine]\nreasons_first = 1\n", "mine.reasons_first is 1; accepted: true or false"),
        ("[mine]\nmax_reason_tokens = 0\n", "mine.max_reason_tokens is 0; accepted: a whole number"),
        ('[mine]\nbased_on = "poetic"\n', "style mine is based on 'poetic'; known: simple"),
        ("mine = 3\n", "holds something other than tables"),
        ("[mine\n", "cannot be read"),
    ],
)
def test_a_bad_style_is_refused_by_field(tmp_path: Path, content: str, message: str):
    """A mistake in a file is named with the file, the style, the field and what would be accepted."""
    file = tmp_path / "styles.toml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(InvalidRequest, match=message) as refusal:
        load_styles(file)
    assert "styles.toml" in str(refusal.value)


@pytest.mark.parametrize("name", ["nowhere.toml", "styles.yaml"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str):
    """A missing file, or one of another kind, is refused with the kinds that are read."""
    (tmp_path / "styles.yaml").write_text("a: b")
    with pytest.raises(InvalidRequest, match=r"accepted: a TOML \(.toml\) or JSON \(.json\) file"):
        load_styles(tmp_path / name)


def test_only_the_candidate_and_the_question_come_last():
    """Conversations about one query are alike up to the candidate's photo, whatever is asked."""
    style = load_styles()["simple"]
    plain, longer = compose(style, "Same?"), compose(style, "Why?", "Because.", "Same?")
    assert plain[0] == longer[0]
    assert plain[1].parts[:3] == longer[1].parts[:3] == (style.query_label, Shown.QUERY, f"\n{style.candidate_label}")
    assert plain[1].parts[3:] == (Shown.CANDIDATE, "\nSame?")
    assert [(turn.role, turn.parts) for turn in longer[2:]] == [("assistant", ("Because.",)), ("user", ("Same?",))]


def test_an_empty_question_leaves_the_photos_alone():
    """A model that is trained on the two photos alone gets no line behind them."""
    parts = compose(load_styles()["reranker"], "")[1].parts
    assert parts[1:] == (Shown.QUERY, "\n<Document>:", Shown.CANDIDATE)


@pytest.mark.parametrize("candidate_first", [False, True])
def test_several_photos_stand_behind_one_label(candidate_first: bool):
    """All photos of a candidate follow one another, on their side of the query."""
    style = load_styles()["simple"]
    parts = compose(style, style.question(3), photos=3, candidate_first=candidate_first)[1].parts
    shown = [Shown.CANDIDATE] * 3
    expected = (
        (style.views_label, *shown, f"\n{style.query_label}", Shown.QUERY)
        if candidate_first
        else (style.query_label, Shown.QUERY, f"\n{style.views_label}", *shown)
    )
    assert parts == (*expected, f"\n{style.views_cue}")


def test_labels_travel_with_their_photos():
    """With the candidate first, each photo keeps the label that says whose it is."""
    style = load_styles()["chinese"]
    parts = compose(style, "?", candidate_first=True)[1].parts
    assert parts == (style.candidate_label, Shown.CANDIDATE, f"\n{style.query_label}", Shown.QUERY, "\n?")
