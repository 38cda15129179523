"""What the documents say is run, or compared with what the code says."""

import re
from pathlib import Path

import pytest
from fakes.images import draw_place, see_again

from gateway.settings import GatewaySettings
from scripts import build_database
from services.retrieval.settings import RetrievalSettings
from services.verifier.settings import VerifierSettings

ROOT = Path(__file__).parents[2]
READMES = ["README.md", "README.zh-CN.md"]
SETTINGS = [GatewaySettings, RetrievalSettings, VerifierSettings]


def test_the_python_block_runs(tmp_path, monkeypatch, capsys):
    """The README's Python runs as written, in a folder with a gallery and a visitor's photo, and finds the place.

    That of the other README is the same, by the next test.
    """
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    for seed in range(3):
        (tmp_path / "photos" / f"place{seed}").mkdir(parents=True)
        draw_place(seed).save(tmp_path / "photos" / f"place{seed}" / "front.jpg")
    see_again(draw_place(1), 2).image.save(tmp_path / "visitor.jpg")
    monkeypatch.chdir(tmp_path)
    build_database.main(["--image-dir", "photos", "--output-dir", "data/gallery"])
    capsys.readouterr()

    exec(compile(block, "README.md", "exec"), {})

    first, *others = capsys.readouterr().out.splitlines()
    assert first.startswith("place1 True")
    assert all(" False " in line for line in others)


def test_both_readmes_show_the_same_commands():
    """The Chinese README shows the same commands and code as the English one."""
    english, chinese = (
        re.findall(r"```(?:sh|python|json)\n(.*?)```", (ROOT / name).read_text(), re.S) for name in READMES
    )

    def without_comments(block: str) -> str:
        return re.sub(r"\s*#.*", "", block)

    assert [without_comments(block) for block in chinese] == [without_comments(block) for block in english]


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: settings.__name__)
def test_every_setting_is_documented(settings):
    """docs/settings.md has a row for each setting, with its meaning."""
    text = (ROOT / "docs" / "settings.md").read_text()

    for name, field in settings.model_fields.items():
        assert f"| `{settings.model_config['env_prefix']}{name.upper()}` |" in text
        assert f"| {field.description} |" in text


@pytest.mark.parametrize("document", [*READMES, "docs/settings.md"])
def test_no_setting_is_invented(document):
    """A variable that a document names is one that a process reads."""
    known = {f"{s.model_config['env_prefix']}{name.upper()}" for s in SETTINGS for name in s.model_fields}

    assert set(re.findall(r"`((?:M1|M3|GATEWAY)_[A-Z0-9_]+)`", (ROOT / document).read_text())) <= known


def test_contributing_names_files_that_exist():
    """Every path that CONTRIBUTING.md names leads somewhere, so the way of a photo can be followed."""
    paths = re.findall(r"`([a-z_.]+/[a-z_./-]*)`", (ROOT / "CONTRIBUTING.md").read_text())

    assert len(paths) > 40
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("document", ["page-review.md", "page-review.zh-CN.md"])
def test_the_review_names_tests_that_exist(document):
    """Every test file that a row names is there; without a folder it is one of tests/e2e."""
    text = (ROOT / "docs" / document).read_text()
    paths = [
        *re.findall(r"`(tests/[\w/.]+)`", text),
        *(f"tests/e2e/{name}" for name in re.findall(r"`(test_\w+\.py)`", text)),
    ]

    assert len(paths) > 40
    assert [path for path in paths if not (ROOT / path).exists()] == []


PLACES = ("*.md", "docs/*.md", "clients_sdk/*.md", "clients_sdk/*/*.md")
DOCUMENTS = sorted(path.relative_to(ROOT) for place in PLACES for path in ROOT.glob(place))


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_links_lead_somewhere(document):
    """Every link to a file of the repository leads to one, and its anchor to a heading of it."""
    links = re.findall(r"(?:\]\(|src=\")(?!https?:)([^)#\"]*)(?:#([^)\"]*))?", (ROOT / document).read_text())

    targets = [((ROOT / document).parent / path if path else ROOT / document, anchor) for path, anchor in links]

    assert [path for path, _ in targets if not path.exists()] == []
    assert [(path, anchor) for path, anchor in targets if anchor and anchor not in _anchors(path)] == []


@pytest.mark.parametrize("document", [path for path in DOCUMENTS if path.match("*.zh-CN.md")], ids=str)
def test_chinese_is_punctuated_as_chinese(document):
    """No half-width comma, colon or semicolon follows a Chinese character outside code."""
    text = re.sub(r"```.*?```|`[^`]*`", "", (ROOT / document).read_text(), flags=re.DOTALL)

    assert re.findall(r".{0,9}[\u4e00-\u9fff][,;:?!].{0,9}", text) == []


def _anchors(document: Path) -> set[str]:
    """The anchors that GitHub makes of a document's headings."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
