"""Further views of a place cost a language model a pair each: it verifies those that can change the answer."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from bad_photos import GOOD_PHOTO
from fakes.encoders import ThumbnailEncoder
from fakes.images import draw_place, encode
from fakes.verifiers import ScriptedVerifier
from in_process import AppClient

from core.gallery import Gallery
from core.gallery.values import NewImage
from core.imaging.copies import encode_preview
from core.results import Photo, Place, Verdict
from services.verifier.app import create_app
from services.verifier.settings import VerifierSettings

# One photo of each of two places, and a further view of each.
NAMES = ("gate", "tower", "gate from behind", "tower from behind")
PHOTOS = {name: encode(draw_place(seed)) for seed, name in enumerate(NAMES)}
HASHES = {hashlib.sha256(data).hexdigest(): name for name, data in PHOTOS.items()}


class LanguageModel(ScriptedVerifier):
    """A scripted verifier that reads prompts."""

    def threshold(self, prompt_style: str | None) -> float:
        """Accept from a half."""
        return 0.5


class TakesViews(LanguageModel):
    """One that is shown several photos of a place, and is as sure as of the most telling one."""

    def __init__(self, confidences: Mapping[str, float], *, together: int) -> None:
        super().__init__(confidences)
        self.together = together
        self.shown: list[list[list[str]]] = []

    def views_together(self, prompt_style: str | None) -> int:
        """The same in every style."""
        return self.together

    def verify(self, query: Photo, candidates: Sequence[Photo], **options: Any) -> list[Verdict]:
        """Look all photos of each candidate up."""
        groups = [[candidate, *candidate.views] for candidate in candidates]
        self.shown.append([[HASHES.get(photo.content_hash or "", "") for photo in group] for group in groups])
        for photo in (photo for group in groups for photo in group):
            photo.load()
        return [
            max(super(TakesViews, self).verify(query, group, **options), key=lambda verdict: verdict.confidence)
            for group in groups
        ]


def confidences(**named: float) -> Mapping[str, float]:
    """By content hash; spaces in names are written as underscores."""
    return {digest: named.get(name.replace(" ", "_"), 0.0) for digest, name in HASHES.items()}


def verify(
    folder: Path, verifier: ScriptedVerifier, encoder: str = "thumbnail", *, flagged: bool = True, damaged: str = ""
) -> dict[str, Any]:
    """Ask about all four photos, as the gateway does, or as a calibration does, which flags no further view.

    The original of the photo called ``damaged`` is cut short.
    """
    image = draw_place(0)
    width, height = image.size
    with Gallery.open(folder, ThumbnailEncoder(name=encoder).fingerprint) as gallery:
        refs = []
        for name in NAMES:
            new = NewImage(
                data=PHOTOS[name],
                filename=f"{name}.jpg",
                media_type="image/jpeg",
                width=width,
                height=height,
                preview=encode_preview(image),
                embedding=ThumbnailEncoder().encode([image]).embeddings[0],
                local_features=None,
                place=Place(name.split()[0], name.split()[0]),
            )
            stored = gallery.add([new])[0].image
            if name == damaged:
                Path(stored.path).write_bytes(PHOTOS[name][:100])
            refs.append(
                {
                    "image_id": stored.image_id,
                    "place_id": stored.place.place_id,
                    "similarity": 0.5,
                    "further_view": flagged and "behind" in name,
                }
            )
        with AppClient(create_app(VerifierSettings(data_dir=folder), verifier=verifier)) as client:
            verifier.asked.clear()  # the proof at the start
            getattr(verifier, "shown", []).clear()
            form = {"request": json.dumps({"candidates": refs})}
            return client.post("/verify", files={"file": ("photo", GOOD_PHOTO)}, data=form).json()


def asked(verifier: ScriptedVerifier) -> list[list[str]]:
    """What was asked about, call by call."""
    return [[HASHES[digest or ""] for digest in call] for call in verifier.asked]


def test_an_answer_needs_no_further_view(folder: Path):
    """Two pairs instead of four; what was not compared is not reported as missing."""
    verifier = LanguageModel(confidences(gate=0.9, gate_from_behind=0.9))

    reply = verify(folder, verifier)

    assert asked(verifier) == [["gate", "tower"]]
    assert (reply["matched"], reply["dropped"]) == (True, [])
    assert len(reply["ranking"]) == 2


def test_without_an_answer_all_views_are_verified(folder: Path):
    """A photo of the other side of a building is recognised by the view from there."""
    verifier = LanguageModel(confidences(gate=0.2, tower_from_behind=0.9))

    reply = verify(folder, verifier)

    assert asked(verifier) == [["gate", "tower"], ["gate from behind", "tower from behind"]]
    assert reply["matched"]
    assert len(reply["ranking"]) == 4


def names_of(reply: dict[str, Any], folder: Path) -> list[list[str]]:
    """What every verdict of a reply is about, best first."""
    with Gallery.open(folder, None, read_only=True) as gallery:
        return [
            [HASHES[gallery.get(image_id).content_hash] for image_id in (pair["image_id"], *pair["verdict"]["views"])]
            for pair in reply["ranking"]
        ]


@pytest.mark.parametrize("flagged", [True, False])
def test_views_shown_together_are_one_question(folder: Path, flagged: bool):
    """A place has one verdict, about all its photos, which says so; nothing is asked later, and nothing is missing."""
    verifier = TakesViews(confidences(gate=0.2, tower=0.1, tower_from_behind=0.9), together=3)

    reply = verify(folder, verifier, flagged=flagged)

    assert verifier.shown == [[["gate", "gate from behind"], ["tower", "tower from behind"]]]
    assert names_of(reply, folder) == [["tower", "tower from behind"], ["gate", "gate from behind"]]
    assert (reply["matched"], reply["dropped"]) == (True, [])


def test_a_place_of_two_photos_is_no_surer_than_its_verdict(folder: Path):
    """Photos that stand behind one verdict do not count as further photos that agree."""
    together = verify(folder, TakesViews(confidences(gate=0.9, gate_from_behind=0.9), together=2))

    assert together["decision"]["signals"]["agreeing"] == 0
    assert together["confidence"] == pytest.approx(0.9)


def test_a_view_that_cannot_be_read_is_left_out(folder: Path):
    """Its place is asked about without it."""
    verifier = TakesViews(confidences(gate=0.9), together=2)

    reply = verify(folder, verifier, damaged="gate from behind")

    assert verifier.shown[-1] == [["gate"], ["tower", "tower from behind"]]
    assert (reply["matched"], len(reply["dropped"])) == (True, 1)


def test_a_view_stands_in_for_a_candidate_that_cannot_be_read(folder: Path):
    """The place is recognised by what is left of its photos."""
    verifier = TakesViews(confidences(gate_from_behind=0.9), together=2)

    reply = verify(folder, verifier, damaged="gate")

    assert names_of(reply, folder)[0] == ["gate from behind"]
    assert (reply["matched"], len(reply["dropped"])) == (True, 1)


def test_points_are_matched_for_all_views_at_once(folder: Path):
    """A verifier without prompts compares every view, which is cheap there."""
    verifier = ScriptedVerifier(confidences(gate=0.9))

    verify(folder, verifier)

    assert asked(verifier) == [list(NAMES)]


def test_a_rule_that_counts_rivals_gets_to_know_them(folder: Path):
    """Where a second place that agrees speaks against the first, the second place's views are verified too."""
    verifier = LanguageModel(confidences(gate=0.9999, tower_from_behind=0.9999), name="geometric")

    reply = verify(folder, verifier, encoder="embedded")

    assert asked(verifier) == [["gate", "tower"], ["tower from behind"]]
    assert reply["decision"]["signals"]["rival"] < -4
