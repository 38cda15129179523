"""Settings come from the environment, and mistakes in them are said in one line each."""

import pytest

from gateway.settings import GatewaySettings
from services.retrieval.settings import RetrievalSettings
from services.verifier.settings import VerifierSettings
from serving.settings import ProcessSettings, read_settings

ALL = [GatewaySettings, RetrievalSettings, VerifierSettings]


@pytest.mark.parametrize("kind", ALL)
def test_every_setting_is_described(kind: type[ProcessSettings]):
    """The settings table can be written from the classes."""
    assert [name for name, field in kind.model_fields.items() if not field.description] == []


@pytest.mark.parametrize("kind", ALL)
def test_the_defaults_listen_on_this_machine_only(kind: type[ProcessSettings]):
    """Nothing is offered to the network unless somebody says so."""
    assert kind().host == "127.0.0.1"


def test_values_come_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    """Names are the fields' with the process's prefix; options of a backend are JSON."""
    monkeypatch.setenv("M1_PORT", "9001")
    monkeypatch.setenv("M1_MODEL", "/models/dinov3")
    monkeypatch.setenv("M1_ENCODER_OPTIONS", '{"pooling": "gem"}')

    settings = read_settings(RetrievalSettings)

    assert settings.port == 9001
    assert settings.options == {"model": "/models/dinov3", "pooling": "gem"}
    assert settings.hints == {}


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("M1_BATCH_SIZE", "0", "M1_BATCH_SIZE: Input should be greater than or equal to 1"),
        ("M1_ENCODR", "dinov3", "M1_ENCODR"),
        ("M1_ENCODER_OPTIONS", "{", "encoder_options"),
    ],
)
def test_a_mistake_ends_the_start_with_a_sentence(monkeypatch: pytest.MonkeyPatch, name: str, value: str, hint: str):
    """A wrong value or a misspelt name is named instead of a traceback or silence."""
    monkeypatch.setenv(name, value)

    with pytest.raises(SystemExit, match="invalid settings") as left:
        read_settings(RetrievalSettings)

    assert hint in str(left.value)


def test_a_verifiers_named_options_reach_the_backend(monkeypatch: pytest.MonkeyPatch):
    """Only what was set is passed on, so that each backend keeps its own defaults."""
    monkeypatch.setenv("M3_PROMPT_STYLE", "strict")

    assert read_settings(VerifierSettings).hints == {"prompt_style": "strict"}


def test_a_lone_photo_does_not_wait_for_others():
    """A batch is what arrives while the encoder is busy; waiting in front of an idle one only adds time."""
    assert RetrievalSettings().batch_wait_ms == 0
