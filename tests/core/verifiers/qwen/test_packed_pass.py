"""One pass for a match, and one for all visitors who come while the device is busy, with equal results."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLModel, Qwen3VLTextModel, Qwen3VLVisionModel

from core.results import Photo
from core.runtime.devices import choose_device
from core.verifiers.qwen import packed_pass
from core.verifiers.qwen.positions import positions_of
from core.verifiers.qwen.qwen3_vl import Qwen3VLVerifier
from core.verifiers.qwen.qwen_files import load_qwen
from core.verifiers.qwen.vision_tower import CachedVisionTower
from core.verifiers.qwen.visual_tokens import VisualTokens
from scripts.tiny_models.qwen_vl import GENERATIONS

AsPhoto = Callable[[Image.Image], Photo]

TOLERANCE = 1e-5  # of a confidence: float32 sums in another order move it by some 1e-7


@pytest.fixture(scope="module")
def verifier(qwen_folders: dict[str, Path]) -> Qwen3VLVerifier:
    """A tiny Qwen3-VL."""
    return Qwen3VLVerifier(str(qwen_folders["qwen3_vl"]), device="cpu", query_tokens=40, candidate_tokens=32)


def confidences(verifier: Qwen3VLVerifier, query: Photo, candidates: Sequence[Photo], **options: Any) -> list[float]:
    """Verify, and give the confidences alone."""
    return [verdict.confidence for verdict in verifier.verify(query, candidates, **options)]


@contextmanager
def counting(network: type) -> Iterator[list[int]]:
    """Count calls of a network, by the length of what it was given."""
    calls: list[int] = []
    forward = network.forward

    def counted(self: Any, *arguments: Any, **inputs: Any) -> Any:
        calls.append(len(arguments[0]) if arguments else inputs["inputs_embeds"].shape[1])
        return forward(self, *arguments, **inputs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network, "forward", counted)
        yield calls


@pytest.mark.parametrize("count", [1, 2, 5, 7])
def test_a_match_is_one_pass(verifier: Qwen3VLVerifier, images: list[Image.Image], as_photo: AsPhoto, count: int):
    """Once the style's instructions are computed, K candidates take one pass, in which the query stands once."""
    query, *candidates = map(as_photo, images)
    verifier.verify(query, candidates)
    with counting(Qwen3VLTextModel) as together:
        verifier.verify(query, candidates[:count])
    with counting(Qwen3VLTextModel) as alone:
        for candidate in candidates[:count]:
            verifier.verify(query, [candidate])

    assert len(together) == 1
    assert len(alone) == count
    assert sum(alone) - together[0] >= (count - 1) * 16  # the query's tokens, saved for all but the first


def test_answer_words_of_several_tokens_need_no_further_pass(
    qwen_folders: dict[str, Path], images: list[Image.Image], as_photo: AsPhoto, tmp_path: Path
):
    """Every beginning of a long word is one more end of the same sequence."""
    styles = tmp_path / "styles.toml"
    styles.write_text('[other]\nyes = ["ja"]\nno = ["si"]\n')
    verifier = Qwen3VLVerifier(
        str(qwen_folders["qwen3_vl"]), device="cpu", query_tokens=40, candidate_tokens=32, styles_file=styles
    )
    query, *candidates = map(as_photo, images[:4])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("core.verifiers.prompting.replies.LEAST_MASS", 0.0)
        verifier.verify(query, candidates, prompt_style="other")
        with counting(Qwen3VLTextModel) as passes:
            verifier.verify(query, candidates, prompt_style="other")

    assert len(passes) == 1


def test_visitors_who_come_while_the_device_is_busy_share_a_pass(
    verifier: Qwen3VLVerifier, images: list[Image.Image], as_photo: AsPhoto, monkeypatch: pytest.MonkeyPatch
):
    """Two visitors with other photos, candidates and numbers of them: one pass of each network, the same verdicts."""
    photos = list(map(as_photo, images))
    asked = [(photos[0], photos[1:4]), (photos[4], photos[5:]), (photos[7], photos[:5])]
    alone = [confidences(verifier, *pair) for pair in asked]
    begun, go_on = threading.Event(), threading.Event()
    forward = Qwen3VLModel.forward

    def held(self: Any, *arguments: Any, **inputs: Any) -> Any:
        begun.set()
        assert go_on.wait(60)
        return forward(self, *arguments, **inputs)

    monkeypatch.setattr(Qwen3VLModel, "forward", held)
    with ThreadPoolExecutor(3) as threads, counting(Qwen3VLTextModel) as passes, counting(Qwen3VLVisionModel) as looks:
        first = threads.submit(confidences, verifier, *asked[0])
        assert begun.wait(60)
        others = [threads.submit(confidences, verifier, *pair) for pair in asked[1:]]
        while verifier.waiting < 2:
            assert not any(other.done() for other in others)
        go_on.set()
        together = [first.result(), *(other.result() for other in others)]

    for mine, expected in zip(together, alone, strict=True):
        assert mine == pytest.approx(expected, abs=TOLERANCE)
    assert len(passes) == len(looks) == 2  # the first visitor's, and one for both others


def test_one_visitors_failure_is_not_anothers(verifier: Qwen3VLVerifier, images: list[Image.Image], as_photo: AsPhoto):
    """Beside a visitor whose photo cannot be read, another visitor's verdicts stay the same."""
    photos = list(map(as_photo, images))
    expected = confidences(verifier, photos[0], photos[1:4])
    with ThreadPoolExecutor(2) as threads:
        broken = threads.submit(verifier.verify, Photo(_unreadable), photos[1:4])
        assert threads.submit(confidences, verifier, photos[0], photos[1:4]).result() == pytest.approx(
            expected, abs=TOLERANCE
        )
        with pytest.raises(OSError, match="cannot be read"):
            broken.result()


def test_long_conversations_are_split(
    verifier: Qwen3VLVerifier, images: list[Image.Image], as_photo: AsPhoto, monkeypatch: pytest.MonkeyPatch
):
    """A pass has a bounded number of tokens, as its mask grows with the square; the verdicts are the same."""
    query, *candidates = map(as_photo, images)
    expected = confidences(verifier, query, candidates)
    monkeypatch.setattr(packed_pass, "MOST_TOKENS", 150)
    with counting(Qwen3VLTextModel) as passes:
        assert confidences(verifier, query, candidates) == pytest.approx(expected, abs=TOLERANCE)

    assert len(passes) > 1
    assert max(passes) <= 150


@pytest.mark.parametrize("generation", GENERATIONS)
def test_positions_are_the_models_own(qwen_folders: dict[str, Path], generation: str):
    """Texts and photos in turn get the positions that transformers computes for the whole conversation."""
    network = load_qwen(qwen_folders[generation], choose_device("cpu")).network
    photos = [
        VisualTokens(torch.zeros(rows * columns // 4, 1), (1, rows, columns)) for rows, columns in ((4, 10), (12, 6))
    ]
    pieces = [(1, 2, 3), photos[0], (4,), photos[1], (5, 6)]
    image = network.config.image_token_id
    ids = torch.tensor([[i for p in pieces for i in ([image] * p.count if isinstance(p, VisualTokens) else p)]])
    official, _ = network.model.get_rope_index(
        ids, mm_token_type_ids=(ids == image).int(), image_grid_thw=torch.tensor([photo.grid for photo in photos])
    )

    whole, following = positions_of(pieces, 0, merge=2)
    start, middle = positions_of(pieces[:2], 0, merge=2)
    end, last = positions_of(pieces[2:], middle, merge=2)

    assert torch.equal(whole, official[:, 0])
    assert torch.equal(torch.cat([start, end], dim=1), whole)
    assert following == last == int(official.max()) + 1


@pytest.mark.parametrize("generation", GENERATIONS)
def test_the_vision_tower_never_waits_for_the_device(
    qwen_folders: dict[str, Path], generation: str, images: list[Image.Image]
):
    """On a device without values, the tower runs to its end: nothing in it asks the device for a number."""
    model = load_qwen(qwen_folders[generation], choose_device("cpu"))
    photos = [model.cutter.fit(image, 40) for image in images[:3]]
    expected = CachedVisionTower(model.network, model.cutter, cache_bytes=0, max_batch=8).encode(photos)
    model.network.to("meta")

    tokens = CachedVisionTower(model.network, model.cutter, cache_bytes=0, max_batch=8).encode(photos)

    assert [photo.states.shape for photo in tokens] == [photo.states.shape for photo in expected]
    assert {photo.states.device.type for photo in tokens} == {"meta"}


@pytest.mark.parametrize("generation", GENERATIONS)
def test_the_towers_output_is_the_models_own(qwen_folders: dict[str, Path], generation: str, images: list[Image.Image]):
    """Patches as a matrix product and positions from the CPU give what transformers' tower gives."""
    model = load_qwen(qwen_folders[generation], choose_device("cpu"))
    photos = [model.cutter.fit(image, 40) for image in images[:3]]
    with torch.inference_mode():
        official = model.network.model.get_image_features(
            torch.cat([model.cutter.cut(photo, torch.device("cpu")) for photo in photos]),
            image_grid_thw=torch.tensor([photo.grid for photo in photos]),
            return_dict=True,
        ).pooler_output
        tokens = CachedVisionTower(model.network, model.cutter, cache_bytes=0, max_batch=8).encode(photos)

    for photo, expected in zip(tokens, official, strict=True):
        torch.testing.assert_close(photo.states[:, : expected.shape[1]], expected, atol=1e-4, rtol=1e-4)


def test_confidences_near_a_half_are_fine_grained_in_bfloat16(
    qwen_folders: dict[str, Path], images: list[Image.Image], as_photo: AsPhoto
):
    """In bfloat16 the log-odds of answers are no multiples of 0.125, the step of the format at a logit of 16 to 32."""
    verifier = Qwen3VLVerifier(
        str(qwen_folders["qwen3_vl"]), device="cpu", dtype="bfloat16", query_tokens=40, candidate_tokens=32
    )
    query, *candidates = map(as_photo, images)
    odds = torch.tensor(confidences(verifier, query, candidates)).logit()

    steps = odds / 0.125
    assert (steps - steps.round()).abs().max() > 0.05


def _unreadable() -> Image.Image:
    raise OSError("cannot be read")
