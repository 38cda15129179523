"""The script that builds tiny models."""

from pathlib import Path

import pytest
from transformers import AutoConfig, AutoTokenizer

from scripts.make_tiny_models import BUILDERS, main


def test_every_model_is_written_where_it_is_said_to_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Without a choice every model is built, each in a folder of its name that transformers recognises."""
    assert main([str(tmp_path)]) == 0
    folders = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert folders == [tmp_path / name for name in BUILDERS]
    for folder in folders:
        assert AutoConfig.from_pretrained(folder).model_type.startswith(folder.name)
        assert (folder / "model.safetensors").is_file()


def test_only_what_is_asked_for_is_built(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A choice builds just that, and an unknown name is refused with the known ones."""
    main([str(tmp_path), "--only", "qwen2_vl"])
    assert [folder.name for folder in tmp_path.iterdir()] == ["qwen2_vl"]
    with pytest.raises(SystemExit):
        main([str(tmp_path), "--only", "gpt"])
    assert "dinov3" in capsys.readouterr().err


def test_the_same_seed_gives_the_same_files(tmp_path: Path):
    """Built twice, a model is the same to the byte, so that measurements can be repeated."""
    for name in ("a", "b"):
        BUILDERS["qwen3_vl"](tmp_path / name)
    for file in sorted((tmp_path / "a").iterdir()):
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes(), file.name


def test_answers_are_single_tokens(tmp_path: Path):
    """The answer words of the built-in styles are one token each, as with the published models."""
    tokenizer = AutoTokenizer.from_pretrained(BUILDERS["qwen3_vl"](tmp_path / "model"))
    for word in ("yes", "Yes", "YES", "no", "No", "NO", "是", "否", " yes", " no"):
        assert len(tokenizer.encode(word)) == 1, word
