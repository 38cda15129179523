"""The two scripts with an encoder that is chosen, loaded from a folder and given options."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from fakes.chat_server import ChatServer, completion
from fakes.images import draw_place, encode, see_again

from core.errors import EncoderMismatch
from core.imaging.decoding import open_image
from core.m1_retrieval import M1GlobalRetrieval
from core.matching import match_photo
from core.verifiers.chat.openai_compatible import OpenAICompatibleVerifier
from scripts import build_database, test_matching
from scripts.tiny_models.dino import build_dinov3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of two places, a tiny model, and the gallery made with it and GeM pooling."""
    root = tmp_path_factory.mktemp("dino")
    for seed in range(2):
        (root / "photos" / f"place{seed}").mkdir(parents=True)
        draw_place(seed, (200, 150)).save(root / "photos" / f"place{seed}" / "front.png")
    build_dinov3(root / "model")
    options = ["--encoder", "dinov3", "--model", str(root / "model"), "--encoder-options", '{"pooling": "gem"}']
    arguments = ["--image-dir", str(root / "photos"), "--output-dir", str(root / "gallery"), *options]
    assert build_database.main(arguments) == 0
    return root


def ask(folder: Path, options: dict[str, str]) -> int:
    """Run test_matching without a verifier."""
    return test_matching.main([
        "--query-dir", str(folder / "photos"), "--db-dir", str(folder / "gallery"), "--output-dir", str(folder / "out"),
        "--verifier", "none", "--encoder-options", json.dumps(options),
    ])  # fmt: skip


def test_a_gallery_is_asked_with_the_options_it_was_made_with(folder: Path):
    """Every reference photo finds itself."""
    assert ask(folder, {"model": str(folder / "model"), "pooling": "gem"}) == 0
    queries = json.loads((folder / "out" / "results.json").read_text())["queries"]
    assert [query["retrieved_places"][0] for query in queries] == ["place0", "place1"]


def test_a_gallery_with_local_features_answers_without_a_verifier(folder: Path, tmp_path: Path):
    """A photo of a place is answered while M3 is away, and one of nothing in the collection is not."""
    for seed in range(2):
        (tmp_path / "photos" / f"place{seed}").mkdir(parents=True)
        draw_place(seed).save(tmp_path / "photos" / f"place{seed}" / "front.png")
    options = {"model": str(folder / "model"), "local_features": True}
    built = build_database.main(
        ["--image-dir", str(tmp_path / "photos"), "--output-dir", str(tmp_path / "gallery"), "--encoder", "dinov3",
         "--encoder-options", json.dumps(options)]
    )  # fmt: skip
    with M1GlobalRetrieval(device="cpu", **options) as retrieval:
        retrieval.load_index(tmp_path / "gallery")
        decisions = [
            match_photo(encode(see_again(draw_place(seed), 3).image), retrieval, None).decision for seed in (0, 1, 7)
        ]
    assert built == 0
    assert [decision.matched for decision in decisions] == [True, True, False]


def test_a_gallery_of_another_model_is_not_asked_with_the_default_one(folder: Path):
    """README's Python block names no model; it says which one is missing before it downloads gigabytes in vain."""
    with pytest.raises(EncoderMismatch, match=r"dinov3_vit-64x2 .* no model is named, .*give the gallery's own"):
        M1GlobalRetrieval(device="cpu").load_index(folder / "gallery")


def test_a_verifier_behind_a_server_is_measured(folder: Path):
    """--verifier-options takes what the service takes as M3_VERIFIER_OPTIONS."""
    with ChatServer(lambda request: (200, completion("yes", [("yes", -0.1), ("no", -3.0)]))) as server:
        options = json.dumps({"url": server.url})
        encoder = json.dumps({"model": str(folder / "model"), "pooling": "gem"})
        done = test_matching.main([
            "--query-dir", str(folder / "photos"), "--db-dir", str(folder / "gallery"),
            "--output-dir", str(folder / "remote"), "--encoder-options", encoder,
            "--verifier", "openai-compatible", "--model", "tiny", "--verifier-options", options,
        ])  # fmt: skip

    assert done == 0
    assert server.requests


def test_photos_of_a_place_are_one_question_in_one_process_too(folder: Path, tmp_path: Path):
    """Scripts ask about a place as the services do: all its photos in one request, and one verdict."""
    for seed in range(3):
        (tmp_path / "photos" / f"place{seed % 2}").mkdir(parents=True, exist_ok=True)
        draw_place(seed).save(tmp_path / "photos" / f"place{seed % 2}" / f"{seed}.png")
    model = str(folder / "model")
    built = build_database.main(
        ["--image-dir", str(tmp_path / "photos"), "--output-dir", str(tmp_path / "gallery"), "--encoder", "dinov3",
         "--model", model]
    )  # fmt: skip
    with (
        ChatServer(lambda request: (200, completion("yes", [("yes", -0.1), ("no", -3.0)]))) as server,
        M1GlobalRetrieval(device="cpu", model=model) as retrieval,
        closing(OpenAICompatibleVerifier(server.url, "tiny", views_together=2)) as verifier,
    ):
        retrieval.load_index(tmp_path / "gallery")
        match = match_photo(encode(draw_place(0)), retrieval, verifier)

    assert built == 0
    assert len(server.requests) == len(match.ranked) == 2
    assert sorted(str(request["messages"]).count("data:image/jpeg") for request in server.requests) == [2, 3]
    assert {candidate.image.place.place_id for candidate in match.ranked} == {"place0", "place1"}
    assert match.decision.evidence is not None
    assert match.decision.evidence.agreeing == 0


def test_previews_are_as_large_as_they_are_asked_for(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """They may be larger than what the encoder reads; a size that is not accepted is refused at once."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "gate.jpg").write_bytes(encode(draw_place(0, (2000, 1500)), "jpeg"))
    arguments = ["--image-dir", str(tmp_path / "photos"), "--output-dir", str(tmp_path / "gallery")]
    arguments += ["--encoder", "dinov3", "--model", str(folder / "model"), "--preview-side"]

    assert build_database.main([*arguments, "300"]) == 2
    assert "previews of 300 pixels; accepted: 640 to 1280" in capsys.readouterr().err
    assert build_database.main([*arguments, "906"]) == 0
    (preview,) = (tmp_path / "gallery" / "previews").rglob("*.jpg")
    assert open_image(preview).image.size == (906, 680)


def test_another_pooling_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]):
    """Vectors of another pooling are not compared; the error names both."""
    assert ask(folder, {"model": str(folder / "model"), "pooling": "cls"}) == 2
    said = capsys.readouterr().err
    assert "imagenet gem" in said
    assert "imagenet cls" in said


@pytest.mark.parametrize("text", ["pooling=gem", '["gem"]'])
def test_options_that_are_no_object_are_explained(folder: Path, text: str, capsys: pytest.CaptureFixture[str]):
    """A mistyped value is answered with the form that is accepted."""
    with pytest.raises(SystemExit):
        build_database.main(["--image-dir", ".", "--output-dir", ".", "--encoder-options", text])
    assert "JSON" in capsys.readouterr().err
