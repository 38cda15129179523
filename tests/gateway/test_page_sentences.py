"""What the page says, read from its language files."""

import re
from pathlib import Path

import pytest

import gateway
from contracts.errors import ErrorCode

REPOSITORY = Path(__file__).parents[2]
LANGUAGE = Path(gateway.__file__).parent / "web" / "language"
HAN = "[\u4e00-\u9fff]"
HALF_WIDTH = re.compile(f"{HAN}[,;:?!(]|[,;:?!]{HAN}")
SPOKEN = [
    *LANGUAGE.rglob("zh.js"),
    *(REPOSITORY / "core" / "gallery_health").glob("*.py"),
    *(REPOSITORY / "core" / "decision").glob("*.py"),
    REPOSITORY / "core" / "journal" / "drift.py",
    REPOSITORY / "core" / "building" / "sample_photos.py",
    REPOSITORY / "README.zh-CN.md",
]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_error_code_has_a_sentence(language: str):
    """Whatever the server refuses, the page says so in its own language; so is a server that cannot be reached."""
    text = "".join(path.read_text() for path in LANGUAGE.rglob(f"{language}.js"))
    spoken = set(re.findall(r'"error\.(\w+)": ', text))

    assert {code.value for code in ErrorCode} | {"network"} <= spoken


@pytest.mark.parametrize("path", SPOKEN, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_chinese_has_its_own_punctuation(path: Path):
    """Beside Chinese letters no comma, colon or opening bracket is a Latin one."""
    assert HALF_WIDTH.findall(path.read_text()) == []
