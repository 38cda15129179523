"""The script that builds tiny models."""

from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
from transformers import AutoConfig, AutoTokenizer

from scripts.make_tiny_models import BUILDERS, main


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every model, by the name that the script printed its folder under."""
    root = tmp_path_factory.mktemp("tiny")
    with redirect_stdout(StringIO()) as printed:
        assert main([str(root)]) == 0
    return {Path(line).name: Path(line) for line in printed.getvalue().splitlines() if Path(line).parent == root}


def test_every_model_is_written_where_it_is_said_to_be(folders: dict[str, Path]):
    """Without a choice every model is built, each in a folder of its name that transformers recognises."""
    assert list(folders) == list(BUILDERS)
    for name, folder in folders.items():
        assert AutoConfig.from_pretrained(folder).model_type.startswith(name)
        assert (folder / "model.safetensors").is_file()


def test_only_what_is_asked_for_is_built(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A choice builds just that, and an unknown name is refused with the known ones."""
    main([str(tmp_path), "--only", "dinov2"])
    assert [folder.name for folder in tmp_path.iterdir()] == ["dinov2"]
    with pytest.raises(SystemExit):
        main([str(tmp_path), "--only", "gpt"])
    assert "dinov3" in capsys.readouterr().err


def test_the_same_seed_gives_the_same_files(folders: dict[str, Path], tmp_path: Path):
    """Built twice, a model is the same to the byte, so that measurements can be repeated."""
    again = BUILDERS["qwen3_vl"](tmp_path / "again")
    assert {file.name for file in again.iterdir()} == {file.name for file in folders["qwen3_vl"].iterdir()}
    for file in sorted(again.iterdir()):
        assert file.read_bytes() == (folders["qwen3_vl"] / file.name).read_bytes(), file.name


def test_answers_are_single_tokens(folders: dict[str, Path]):
    """The answer words of the built-in styles are one token each, as with the published models."""
    tokenizer = AutoTokenizer.from_pretrained(folders["qwen3_vl"])
    for word in ("yes", "Yes", "YES", "no", "No", "NO", "是", "否", " yes", " no"):
        assert len(tokenizer.encode(word)) == 1, word
