"""The language of a visitor's browser."""

import pytest

from gateway.match.languages import preferred_language


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-GB, zh;q=0.9", "en"),
        ("fr-FR, zh-Hant;q=0.3, en;q=0.2", "zh"),
        ("zh;q=0, en;q=0.1", "en"),
        ("zh;q=0", "en"),
        ("ZH ; Q=1", "zh"),
        ("zh;q=high, en;q=0.1", "en"),
        ("de, ;;,=", "en"),
        ("*", "en"),
        ("zhuang", "en"),
    ],
)
def test_the_most_wanted_spoken_language_is_chosen(header: str | None, language: str):
    """The greatest weight decides; what is not spoken here, ruled out or without sense is passed over."""
    assert preferred_language(header) == language
