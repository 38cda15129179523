"""Several photos of a place in one question: one verdict, equal to that of the model used naively."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from fakes.naive_qwen import NaiveQwen
from PIL import Image
from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLTextModel, Qwen3VLVisionModel

from core.errors import InvalidRequest
from core.results import Photo
from core.verifiers.prompting import replies
from core.verifiers.prompting.questions import weigh_in_both_orders
from core.verifiers.prompting.replies import WeighedAnswer
from core.verifiers.prompting.styles import PromptStyle, load_styles
from core.verifiers.qwen.qwen3_vl import Qwen3VLVerifier
from core.verifiers.views import as_candidate

AsPhoto = Callable[[Image.Image], Photo]

QUERY_TOKENS, CANDIDATE_TOKENS = 40, 32
TOLERANCE = 1e-4  # in logits, as in test_qwen3_vl.py


@pytest.fixture(autouse=True)
def any_mass(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare the numbers, whether or not a tiny model puts enough of its probability on yes and no."""
    monkeypatch.setattr(replies, "LEAST_MASS", 0.0)


def make(folders: dict[str, Path], **options: Any) -> Qwen3VLVerifier:
    """A tiny Qwen3-VL with the budgets of this file."""
    return Qwen3VLVerifier(
        str(folders["qwen3_vl"]),
        device="cpu",
        query_tokens=QUERY_TOKENS,
        candidate_tokens=CANDIDATE_TOKENS,
        **options,
    )


def groups_of(images: Sequence[Image.Image]) -> list[list[Image.Image]]:
    """Four places, of which one has three photos, one has two, and two have one."""
    return [list(images[1:4]), [images[4]], list(images[5:7]), [images[7]]]


def logits(verifier: Qwen3VLVerifier, query: Photo, candidates: Sequence[Photo], **options: Any) -> list[float]:
    """Log-odds of the candidates."""
    verdicts = verifier.verify(query, candidates, **options)
    return [math.log(verdict.confidence / (1 - verdict.confidence)) for verdict in verdicts]


@pytest.mark.parametrize("style", ["simple", "chinese", "reranker"])
def test_places_of_several_photos_equal_separate_passes(
    qwen_folders: dict[str, Path], images: list[Image.Image], as_photo: AsPhoto, style: str
):
    """Candidates of one, two and three photos of unequal shapes share a pass, and get what separate passes give."""
    asked_in, naive = load_styles()[style], NaiveQwen(qwen_folders["qwen3_vl"])
    groups, budgets = groups_of(images), (QUERY_TOKENS, CANDIDATE_TOKENS)
    expected = [
        _score_of_a_reranker(naive, asked_in, images[0], group)
        if asked_in.exact_words
        else naive.log_odds(asked_in, images[0], group, budgets, asked_in.question(len(group)))
        for group in groups
    ]
    verifier = make(qwen_folders, views_together=3, prompt_style=style)
    candidates = [as_candidate([as_photo(image) for image in group]) for group in groups]

    with pytest.MonkeyPatch.context() as patch:
        verifier.verify(as_photo(images[0]), candidates)  # the instructions
        passes = _count(patch, Qwen3VLTextModel)
        found = logits(verifier, as_photo(images[0]), candidates)

    assert found == pytest.approx(expected, abs=TOLERANCE)
    assert len(passes) == 1
    alone = logits(make(qwen_folders, prompt_style=style), as_photo(images[0]), candidates)
    assert [abs(a - b) > 5 * TOLERANCE for a, b in zip(alone, found, strict=True)] == [True, False, True, False]


def test_both_orders_are_averaged(qwen_folders: dict[str, Path], images: list[Image.Image], as_photo: AsPhoto):
    """With the candidate first, all its photos stand before the query, behind the label that fits their number."""
    style, naive = load_styles()["simple"], NaiveQwen(qwen_folders["qwen3_vl"])
    groups = groups_of(images)
    orders = [
        [
            naive.log_odds(
                style,
                images[0],
                group,
                (QUERY_TOKENS, CANDIDATE_TOKENS),
                style.question(len(group)),
                candidate_first=first,
            )
            for group in groups
        ]
        for first in (False, True)
    ]
    expected = weigh_in_both_orders(
        lambda pairs, first: [WeighedAnswer(1 / (1 + math.exp(-orders[first][pair])), 1.0) for pair in pairs],
        len(groups),
    )

    verdicts = make(qwen_folders, views_together=3, both_orders=True).verify(
        as_photo(images[0]), [as_candidate([as_photo(image) for image in group]) for group in groups]
    )

    assert [v.confidence for v in verdicts] == pytest.approx([e.confidence for e in expected], abs=TOLERANCE)


def test_where_one_photo_is_given_nothing_changes(
    qwen_folders: dict[str, Path], images: list[Image.Image], as_photo: AsPhoto
):
    """Single photos are asked about in the same words and the same pass, and get the very same confidences."""
    query, *candidates = map(as_photo, images)

    assert logits(make(qwen_folders, views_together=3), query, candidates) == logits(
        make(qwen_folders), query, candidates
    )


def test_photos_beyond_the_setting_are_left_out(
    qwen_folders: dict[str, Path], images: list[Image.Image], as_photo: AsPhoto
):
    """Of three photos a verifier of two is shown two, and one without the setting, or in a style for one, the first."""
    query, *views = map(as_photo, images[:4])
    two, one = make(qwen_folders, views_together=2), make(qwen_folders)

    assert logits(two, query, [as_candidate(views)]) == logits(two, query, [as_candidate(views[:2])])
    assert logits(one, query, [as_candidate(views)]) == logits(one, query, views[:1])
    assert (two.views_together(None), two.views_together("detailed"), one.views_together(None)) == (2, 1, 1)
    with pytest.raises(InvalidRequest, match="unknown prompt style"):
        two.views_together("poetic")


def test_views_are_cached_like_candidates(
    qwen_folders: dict[str, Path], images: list[Image.Image], as_photo: AsPhoto, monkeypatch: pytest.MonkeyPatch
):
    """The second visitor's question takes the tower the query alone."""
    verifier = make(qwen_folders, views_together=3)
    place = as_candidate(list(map(as_photo, images[1:4])))
    verifier.verify(as_photo(images[0]), [place])
    looks = _count(monkeypatch, Qwen3VLVisionModel)

    verifier.verify(as_photo(images[0]), [place])

    assert looks == [1]


def test_reasons_are_written_about_all_photos(
    qwen_folders: dict[str, Path], images: list[Image.Image], as_photo: AsPhoto, tmp_path: Path
):
    """The sentences follow the question and the photos that the verdict was made from."""
    styles_file = tmp_path / "short.toml"
    styles_file.write_text("[simple]\nmax_reason_tokens = 8\n")
    style, naive = load_styles(styles_file)["simple"], NaiveQwen(qwen_folders["qwen3_vl"])
    content = [
        {"type": "text", "text": style.query_label},
        {"type": "image"},
        {"type": "text", "text": f"\n{style.views_label}"},
        *[{"type": "image"}] * 3,
        {"type": "text", "text": f"\n{style.views_cue}"},
    ]
    messages = [
        {"role": "system", "content": style.instructions},
        {"role": "user", "content": content},
        {"role": "assistant", "content": "yes"},
        {"role": "user", "content": style.reasons_cue},
    ]

    written = make(qwen_folders, views_together=3, styles_file=styles_file).write_reasons(
        as_photo(images[0]), as_candidate(list(map(as_photo, images[1:4]))), prompt_style=None, is_match=True
    )

    budgets = [QUERY_TOKENS, *[CANDIDATE_TOKENS] * 3]
    assert written == naive.generate(messages, images[:4], budgets, 8)


def test_the_warm_up_shows_several_photos(qwen_folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch):
    """In styles with texts for several photos, one of the five candidates has as many as a question may show."""
    verifier = make(qwen_folders, views_together=3)
    looks = _count(monkeypatch, Qwen3VLVisionModel)

    verifier.warm_up()

    detailed = 1 + 5
    assert set(looks) == {detailed, 1 + 5 + 2}
    assert looks.count(detailed) == 1


def test_calibrations_of_single_photos_do_not_hold(qwen_folders: dict[str, Path]):
    """The fingerprint names the number of photos, and stays as it was without the setting."""
    one, three = (make(qwen_folders, **options) for options in ({}, {"views_together": 3}))

    assert one.fingerprint.endswith("tokens; asked in simple e692966b)")
    assert "; up to 3 photos of a place together; asked in simple " in three.fingerprint
    assert not three.fingerprint.endswith("e692966b)")
    assert one.style("strict") != three.style("strict")
    assert one.style("detailed") == three.style("detailed")


@pytest.mark.parametrize("views", [0, 9])
def test_a_number_of_photos_out_of_range_is_refused(qwen_folders: dict[str, Path], views: int):
    """By name, with what is accepted."""
    with pytest.raises(InvalidRequest, match=f"views_together is {views}; accepted: 1 to 8"):
        make(qwen_folders, views_together=views)


def _score_of_a_reranker(
    naive: NaiveQwen, style: PromptStyle, query: Image.Image, group: Sequence[Image.Image]
) -> float:
    """Yes minus no, as Qwen3-VL-Reranker's own code scores a document of several images."""
    official = [
        {"role": "system", "content": style.instructions},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": style.query_label},
                {"type": "image"},
                {"type": "text", "text": "\n<Document>:"},
                *[{"type": "image"}] * len(group),
            ],
        },
    ]
    budgets = [QUERY_TOKENS, *[CANDIDATE_TOKENS] * len(group)]
    logprobs = naive.logprobs(official, [query, *group], budgets)
    (yes,), (no,) = (naive.tokenizer.encode(word) for word in ("yes", "no"))
    return float(logprobs[yes] - logprobs[no])


def _count(monkeypatch: pytest.MonkeyPatch, network: type) -> list[int]:
    """Count a network's calls from now on; of the vision tower, by the photos that it was given."""
    calls: list[int] = []
    forward = network.forward

    def counted(self: Any, *arguments: Any, **inputs: Any) -> Any:
        calls.append(len(inputs["grid_thw"]) if "grid_thw" in inputs else 1)
        return forward(self, *arguments, **inputs)

    monkeypatch.setattr(network, "forward", counted)
    return calls
