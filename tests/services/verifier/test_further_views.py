"""Further views of a place cost a language model a pair each: it verifies those that can change the answer."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bad_photos import GOOD_PHOTO
from fakes.encoders import ThumbnailEncoder
from fakes.images import draw_place, encode
from fakes.verifiers import ScriptedVerifier
from in_process import AppClient

from core.gallery import Gallery
from core.gallery.values import NewImage
from core.imaging.copies import encode_preview
from core.results import Place
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


def confidences(**named: float) -> Mapping[str, float]:
    """By content hash; spaces in names are written as underscores."""
    return {digest: named.get(name.replace(" ", "_"), 0.0) for digest, name in HASHES.items()}


def verify(folder: Path, verifier: ScriptedVerifier, encoder: str = "thumbnail") -> dict[str, Any]:
    """Ask about all four photos, as the gateway does."""
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
            refs.append(
                {
                    "image_id": stored.image_id,
                    "place_id": stored.place.place_id,
                    "similarity": 0.5,
                    "further_view": "behind" in name,
                }
            )
        with AppClient(create_app(VerifierSettings(data_dir=folder), verifier=verifier)) as client:
            verifier.asked.clear()  # the proof at the start
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
