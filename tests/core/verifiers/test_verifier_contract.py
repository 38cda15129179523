"""One suite over every verifier: whatever the verifier service relies on."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from fakes.chat_server import ChatServer, QwenAnswers
from fakes.naive_qwen import NaiveQwen
from fakes.verifiers import ScriptedVerifier
from PIL import Image

from core.errors import InvalidRequest
from core.local_features.xfeat import ViewSpec, XFeatExtractor
from core.results import LocalFeatures, Photo
from core.verifiers import VERIFIERS
from core.verifiers.base import Verifier

AsPhoto = Callable[[Image.Image], Photo]

# Other sums in other orders, nothing else; geometric verdicts do not move at all.
COMPANY_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Workshop:
    """What verifiers are made from."""

    folders: dict[str, Path]
    stack: ExitStack

    def qwen(self, generation: str = "qwen3_vl", **options: object) -> Verifier:
        """A tiny local model."""
        return VERIFIERS.create(
            "qwen3-vl",
            model=str(self.folders[generation]),
            device="cpu",
            query_tokens=16,
            candidate_tokens=16,
            **options,
        )

    def remote(self) -> Verifier:
        """The same behind a real server."""
        server = self.stack.enter_context(ChatServer(QwenAnswers(NaiveQwen(self.folders["qwen3_vl"]), max_tokens=16)))
        return self.stack.enter_context(closing(VERIFIERS.create("openai-compatible", url=server.url, model="tiny")))

    def remote_pair(self) -> Verifier:
        """Two servers of the same model, one of which is killed as soon as it is asked for the third time."""
        answers = QwenAnswers(NaiveQwen(self.folders["qwen3_vl"]), max_tokens=16)

        def die_early(request: dict[str, Any]) -> tuple[int, Any]:
            if len(dying.requests) == 3:
                dying.kill()
            return answers(request)

        dying = ChatServer(die_early)
        dying.__enter__()
        lasting = self.stack.enter_context(ChatServer(answers))
        urls = [dying.url, lasting.url]
        return self.stack.enter_context(closing(VERIFIERS.create("openai-compatible", url=urls, model="tiny")))

    def geometric(self) -> Verifier:
        """Without any language model."""
        return self.stack.enter_context(closing(VERIFIERS.create("geometric", threads=1)))


VERIFIER_KINDS: dict[str, Callable[[Workshop], Verifier]] = {
    "scripted": lambda _workshop: ScriptedVerifier(),
    "geometric": Workshop.geometric,
    "qwen3-vl": Workshop.qwen,
    "qwen2.5-vl": lambda workshop: workshop.qwen("qwen2_5_vl"),
    "qwen2-vl": lambda workshop: workshop.qwen("qwen2_vl"),
    "both-orders": lambda workshop: workshop.qwen(both_orders=True),
    "openai-compatible": Workshop.remote,
    "openai-compatible-pair": Workshop.remote_pair,
    "cascade": lambda workshop: VERIFIERS.create("cascade", first=workshop.geometric(), second=workshop.qwen()),
}
READ_NO_PROMPT = {"geometric"}
MATCH_FEATURES = {"geometric", "cascade"}


@pytest.fixture(scope="module", params=list(VERIFIER_KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of verifier in turn."""
    return request.param


@pytest.fixture(scope="module")
def verifier(kind: str, qwen_folders: dict[str, Path]) -> Iterator[Verifier]:
    """The verifier of that kind."""
    with ExitStack() as stack:
        yield VERIFIER_KINDS[kind](Workshop(qwen_folders, stack))


@pytest.fixture(scope="module")
def local_features(images: list[Image.Image]) -> list[LocalFeatures]:
    """Of every image, looked at small and often enough for nobody to look again."""
    extractor = XFeatExtractor()
    views = [ViewSpec(256, 128, rotation) for rotation in (0, 90, 180)]
    return [extractor.extract(image, views) for image in images[:4]]


@pytest.fixture
def photos(kind: str, images: list[Image.Image], as_photo: AsPhoto, request: pytest.FixtureRequest) -> list[Photo]:
    """Four places of four shapes; with features, as the gallery has them, for those who match features."""
    photos = [as_photo(image) for image in images[:4]]
    if kind not in MATCH_FEATURES:
        return photos
    features = request.getfixturevalue("local_features")
    return [replace(photo, local_features=known) for photo, known in zip(photos, features, strict=True)]


def test_every_pair_gets_its_verdict(verifier: Verifier, photos: list[Photo]):
    """K candidates get K verdicts with a confidence in [0, 1] and some words, for K = 1 to 3."""
    query, *candidates = photos
    for count in range(1, len(candidates) + 1):
        verdicts = verifier.verify(query, candidates[:count])
        assert len(verdicts) == count
        for verdict in verdicts:
            assert 0 <= verdict.confidence <= 1
            assert isinstance(verdict.is_match, bool)
            assert verdict.response


def test_order_is_kept_and_company_does_not_matter(verifier: Verifier, kind: str, photos: list[Photo]):
    """Verdict i is candidate i's, whatever the other candidates are and however they are ordered.

    In both orders, only the likeliest candidate is always asked about as if it were alone.
    """
    query, *candidates = photos
    if kind == "both-orders":
        verdicts = verifier.verify(query, candidates)
        candidates = [candidates[max(range(len(verdicts)), key=lambda number: verdicts[number].confidence)]]
    together = [verdict.confidence for verdict in verifier.verify(query, candidates)]
    reversed_ = [verdict.confidence for verdict in verifier.verify(query, candidates[::-1])]
    alone = [verifier.verify(query, [candidate])[0].confidence for candidate in candidates]
    assert together == pytest.approx(alone, abs=COMPANY_TOLERANCE)
    assert reversed_[::-1] == pytest.approx(alone, abs=COMPANY_TOLERANCE)


def test_the_same_photo_twice_gets_the_same_verdict(verifier: Verifier, photos: list[Photo]):
    """A candidate listed twice gets two equal verdicts, and the query may be among the candidates."""
    query, other, *_ = photos
    first, second, third = verifier.verify(query, [other, query, other])
    assert first.confidence == pytest.approx(third.confidence, abs=COMPANY_TOLERANCE)
    assert 0 <= second.confidence <= 1


def test_no_candidates_no_verdicts(verifier: Verifier, photos: list[Photo]):
    """A query without candidates gets an empty list, and its photo is not even loaded."""
    assert verifier.verify(Photo(_refuse_to_load), []) == []


def test_photos_without_a_hash_are_judged_alike(verifier: Verifier, kind: str, photos: list[Photo]):
    """A content hash saves work; it never changes a verdict."""
    if kind == "scripted":
        pytest.skip("knows candidates by their hash alone")
    query, *candidates = photos
    known = verifier.verify(query, candidates)
    unknown = verifier.verify(*_without_hash(query), _without_hash(*candidates))
    assert [v.confidence for v in unknown] == pytest.approx([v.confidence for v in known], abs=COMPANY_TOLERANCE)


def test_photos_are_loaded_once(verifier: Verifier, photos: list[Photo]):
    """Each photo is decoded at most once per verification."""
    loads: list[int] = []

    def counted(number: int, photo: Photo) -> Photo:
        return replace(photo, load=lambda: (loads.append(number), photo.load())[1], content_hash=None)

    query, *candidates = [counted(number, photo) for number, photo in enumerate(photos)]
    verifier.verify(query, candidates)
    assert len(loads) == len(set(loads))


def test_an_explanation_is_more_than_a_word(verifier: Verifier, kind: str, photos: list[Photo]):
    """Asked to explain, a verifier still gives one verdict per pair, equal but for its words."""
    query, *candidates = photos[:3]
    plain = verifier.verify(query, candidates)
    explained = verifier.verify(query, candidates, explain=True)
    assert [v.confidence for v in explained] == pytest.approx([v.confidence for v in plain], abs=COMPANY_TOLERANCE)
    if kind not in READ_NO_PROMPT:
        assert all(len(after.response) > len(before.response) for after, before in zip(explained, plain, strict=True))


@pytest.mark.parametrize("count", [0, 2])
def test_an_unknown_style_is_refused(verifier: Verifier, kind: str, photos: list[Photo], count: int):
    """A style nobody knows is refused with the known ones, with candidates or without; no prompt, no style."""
    query, *candidates = photos
    if kind in READ_NO_PROMPT:
        assert len(verifier.verify(query, candidates[:count], prompt_style="poetic")) == count
        return
    with pytest.raises(InvalidRequest, match="unknown prompt style: 'poetic'; known: simple"):
        verifier.verify(query, candidates[:count], prompt_style="poetic")


def test_the_fingerprint_begins_with_the_name(verifier: Verifier, kind: str):
    """A fingerprint is one line that begins with the backend's name and holds its particulars."""
    name, _, particulars = verifier.fingerprint.partition(" (")
    assert name in {*VERIFIERS.names, "scripted"}
    assert particulars.endswith(")")
    assert "\n" not in verifier.fingerprint


def _without_hash(*photos: Photo) -> list[Photo]:
    return [replace(photo, content_hash=None) for photo in photos]


def _refuse_to_load() -> Image.Image:
    raise AssertionError("a photo was loaded that nobody asked about")
