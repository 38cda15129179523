"""The whole product with the models of the GPU path: the real loading code, on tiny random weights."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes.images import draw_place, encode, see_again
from in_process import AppClient, error_of
from PIL.JpegImagePlugin import JpegImageFile
from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLModel

from gateway.settings import GatewaySettings
from scripts.tiny_models.dino import build_dinov3
from services.retrieval.app import create_app as create_retrieval
from services.retrieval.settings import RetrievalSettings
from services.verifier.app import create_app as create_verifier
from services.verifier.settings import VerifierSettings
from standalone.app import compose


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, qwen_folders: dict[str, Path]) -> Iterator[AppClient]:
    """DINOv3 and Qwen3-VL, named in the settings as their published kin would be, and four places."""
    root = tmp_path_factory.mktemp("gpu-path")
    folder = root / "gallery"
    retrieval = create_retrieval(
        RetrievalSettings(data_dir=folder, encoder="dinov3", model=str(build_dinov3(root / "dinov3")), device="cpu")
    )
    verifier = create_verifier(
        VerifierSettings(
            data_dir=folder,
            verifier="qwen3-vl",
            model=str(qwen_folders["qwen3_vl"]),
            device="cpu",
            prompt_style="scenic_guide",
            verifier_options={"query_tokens": 32, "candidate_tokens": 32},
        )
    )
    with AppClient(compose(GatewaySettings(), retrieval=retrieval, verifier=verifier)) as client:
        for service in (retrieval, verifier):
            client.call(service.state.loading.finished)
        for seed in range(1, 5):
            upload = {"file": (f"{seed}.jpg", encode(draw_place(seed)))}
            client.post("/index/images", files=upload, data={"place_id": f"place-{seed}", "place_name": "A place"})
        yield client


def ask(product: AppClient, **fields: str):
    """Match the second place, seen again."""
    photo = encode(see_again(draw_place(2), seed=5).image)
    return product.post("/match", files={"file": ("query.jpg", photo)}, data=fields)


def test_a_match_names_both_models_and_every_verdict(product: AppClient):
    """Every candidate comes with the language model's word and confidence, and both models are named."""
    answer = ask(product).json()

    assert answer["verification"] == "done"
    assert len(answer["candidates"]) == 4
    for candidate in answer["candidates"]:
        assert candidate["verdict"]["response"] in {"yes", "no"}
        assert 0 <= candidate["verdict"]["confidence"] <= 1
    assert "dinov3" in answer["models"]["encoder"]
    assert answer["models"]["verifier"].startswith("qwen3-vl (qwen3_vl-64x3 ")


def test_answers_and_readiness_say_that_the_rule_is_not_fitted(product: AppClient):
    """Nobody has fitted a rule for these models yet: visitors' programs and operators can see it."""
    assert product.get("/health/ready").json()["parts"]["verifier"]["details"]["decision_rule_fitted"] is False
    assert ask(product).json()["decision"]["rule_fitted"] is False


def test_the_same_photo_gets_the_same_answer(product: AppClient):
    """Asked again, with the gallery's photos remembered, the verdicts are the same."""
    first, second = (ask(product).json()["candidates"] for _ in range(2))
    assert [c["image_id"] for c in first] == [c["image_id"] for c in second]
    expected = pytest.approx([c["verdict"]["confidence"] for c in first], abs=1e-4)
    assert [c["verdict"]["confidence"] for c in second] == expected


def test_a_request_chooses_its_style(product: AppClient):
    """Asked in Chinese, the model answers in Chinese; asked in a style nobody knows, it says which it knows."""
    answer = ask(product, prompt_style="chinese").json()
    assert {candidate["verdict"]["response"] for candidate in answer["candidates"]} <= {"是", "否"}

    refusal = ask(product, prompt_style="poetic")
    assert refusal.status_code == 422
    assert "scenic_guide" in error_of(refusal)["message"]


def test_operators_see_that_gallery_photos_are_remembered(product: AppClient):
    """The language model's cache of gallery photos has every candidate of a photo that is asked about again."""

    def hits() -> float:
        text = product.get("/metrics").text
        label = 'matcher_cache_uses_total{cache="visual_tokens",outcome="hit",process="verifier"} '
        return float(text.partition(label)[2].partition("\n")[0])

    ask(product)
    before = hits()
    ask(product)

    assert hits() == before + 4


def test_operators_see_what_the_device_does(product: AppClient):
    """Passes and their time are counted in both services; a CPU has no memory of its own to show."""

    def counts(name: str) -> dict[str, float]:
        text = product.get("/metrics").text
        found = re.findall(rf'^matcher_device_{name}{{process="(\w+)"}} (.+)$', text, re.MULTILINE)
        return {process: float(value) for process, value in found}

    before = {name: counts(name) for name in ("passes_total", "seconds_total")}
    ask(product)
    after = {name: counts(name) for name in ("passes_total", "seconds_total")}

    assert after["passes_total"] == {process: passes + 1 for process, passes in before["passes_total"].items()}
    assert set(after["passes_total"]) == {"retrieval", "verifier"}
    assert all(after["seconds_total"][process] > seconds for process, seconds in before["seconds_total"].items())
    assert counts("halvings_total") == counts("graphs") == {"retrieval": 0, "verifier": 0}
    assert "matcher_device_memory_bytes" not in product.get("/metrics").text


@pytest.mark.parametrize("explain", ["false", "true"])
def test_a_match_takes_one_pass_of_the_language_model(
    product: AppClient, monkeypatch: pytest.MonkeyPatch, explain: str
):
    """The query and all candidates are one sequence, explained or not: nothing is generated."""
    passes: list[int] = []
    forward = Qwen3VLModel.forward

    def counted(self: Any, *arguments: Any, **options: Any) -> Any:
        passes.append(1)
        return forward(self, *arguments, **options)

    monkeypatch.setattr(Qwen3VLModel, "forward", counted)
    product.post("/match", files={"file": ("q.jpg", encode(draw_place(2)))}, data={"explain": explain})
    passes.clear()
    reply = product.post("/match", files={"file": ("q.jpg", encode(draw_place(3)))}, data={"explain": explain}).json()

    assert reply["verification"] == "done"
    assert len(passes) == 1


def test_a_large_photo_is_decoded_once(product: AppClient, monkeypatch: pytest.MonkeyPatch):
    """Retrieval decodes it; the verifier decodes retrieval's copy, which has the size that its model reads."""
    photo = encode(draw_place(2, (1600, 1200)))
    ask(product)  # whose reply names that size
    sizes: list[tuple[int, int]] = []
    draft = JpegImageFile.draft

    def noted(self: JpegImageFile, mode: str | None, size: tuple[int, int]) -> Any:
        sizes.append(self.size)
        return draft(self, mode, size)

    monkeypatch.setattr(JpegImageFile, "draft", noted)
    reply = product.post("/match", files={"file": ("q.jpg", photo)}).json()

    assert reply["verification"] == "done"
    assert sizes == [(1600, 1200), (272, 204)]
