"""Language tags, and the choice among texts."""

import pytest

from core.errors import InvalidRequest
from core.gallery.languages import check_language, choose_language


@pytest.mark.parametrize(
    ("given", "spelled"),
    [
        ("en", "en"),
        ("ZH-hant-tw", "zh-Hant-TW"),
        ("pt-br", "pt-BR"),
        ("es-419", "es-419"),
        ("zh-yue-hk", "zh-yue-HK"),
        ("de-ch-1996", "de-CH-1996"),
        ("SL-ROZAJ-BISKE", "sl-rozaj-biske"),
        ("en-a-BBB-x-a-CCC", "en-a-bbb-x-a-ccc"),
        ("x-museum", "x-museum"),
    ],
)
def test_every_well_formed_tag_is_accepted(given: str, spelled: str):
    """Language, script, region, variants, extensions and private use, in any letter case, have one spelling."""
    assert check_language(given) == spelled


@pytest.mark.parametrize(
    "given", ["", "e", "en_US", "en-", "-en", "日本語", "en--US", "i-klingon", f"en-x-{'a' * 40}", " en"]
)
def test_what_is_no_tag_is_refused(given: str):
    """The message names what was given and what would be accepted."""
    with pytest.raises(InvalidRequest, match=r"invalid language.*BCP 47"):
        check_language(given)


@pytest.mark.parametrize(
    ("available", "wished", "own", "chosen"),
    [
        pytest.param("en fr", "fr-CA fr en", "zh", "fr", id="the base language of a tag"),
        pytest.param("en en-GB", "en-GB", "zh", "en-GB", id="the tag itself before its base"),
        pytest.param("pt-BR", "pt", "zh", "pt-BR", id="a variety of the language"),
        pytest.param("en-GB en-ZA", "en-US", "en-ZA", "en-ZA", id="of several varieties the own one"),
        pytest.param("en", "ja en", "zh", "en", id="the next wish where the first is not there"),
        pytest.param("en", "zh-CN zh en", "zh", "zh", id="the own language in its turn"),
        pytest.param("en", "ja ko", "zh", "zh", id="the own language at last"),
        pytest.param("en", "* en", "zh", "zh", id="any language is the own one"),
        pytest.param("en", "", "zh", "zh", id="no wish"),
        pytest.param("en", "zh-CN zh en", "", "", id="own language not known: it may be the first wish"),
        pytest.param("en", "en-US zh", "", "en", id="own language not known: the first wish is there"),
        pytest.param("zh-Hant en", "zh-TW zh", "zh", "zh-Hant", id="traditional Chinese by its region"),
        pytest.param("zh-HK en", "zh-TW", "zh", "zh-HK", id="the same script before the base language"),
        pytest.param("zh-Hant", "zh-CN", "zh-Hans", "zh-Hans", id="simplified Chinese by its region"),
        pytest.param("zh-Hant", "zh-CN", "en", "zh-Hant", id="the other script before another language"),
        pytest.param("EN-us", "en-US", "zh", "EN-us", id="letter case means nothing"),
    ],
)
def test_a_reader_gets_the_best_language_there_is(available: str, wished: str, own: str, chosen: str):
    """Wish after wish: the tag, its base language, a variety of it; then the collection's own language."""
    assert choose_language(available.split(), wished.split(), own) == chosen
