"""Scripts and styles travel without what only readers of the source need."""

from pathlib import Path

import pytest

import gateway
from gateway.page.lean import lean

WEB = Path(gateway.__file__).parent / "web"
CODE = sorted(path for path in WEB.rglob("*") if path.suffix in {".js", ".css"})


@pytest.mark.parametrize("path", CODE, ids=lambda path: path.relative_to(WEB).as_posix())
def test_nothing_but_comments_and_indentation_is_left_out(path: Path):
    """Every line of code is sent, under its own number; no text spans lines, for its blanks would be lost."""
    source, sent = path.read_text().split("\n"), lean(path.read_text()).split("\n")

    assert len(sent) == len(source)
    is_comment = False
    for before, after in zip((line.strip() for line in source), sent, strict=True):
        is_comment = is_comment or before.startswith("/*")
        assert after == ("" if is_comment or before.startswith("//") else before)
        assert is_comment or after.count("`") % 2 == 0
        is_comment = is_comment and not before.endswith("*/")
