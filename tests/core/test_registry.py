import sys
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import pytest

from core.encoders import ENCODERS
from core.errors import BackendUnavailable, InvalidRequest, UnknownBackend
from core.registry import Registry
from core.verifiers import VERIFIERS
from services.retrieval.settings import RetrievalSettings
from services.verifier.settings import VerifierSettings


@pytest.mark.parametrize("registry", [ENCODERS, VERIFIERS], ids=lambda registry: registry.role)
def test_every_entry_exists(registry):
    """Each name leads to a module that is there: a typo would otherwise wait for a user."""
    for target in registry.targets.values():
        module, _, name = target.partition(":")
        assert find_spec(module) is not None, target
        assert name.isidentifier()


def test_an_unknown_name_lists_the_known():
    """A misspelt backend is answered with the ones there are."""
    with pytest.raises(UnknownBackend, match=r"unknown encoder: 'dinov4'; known: dinov3, embedded"):
        ENCODERS.create("dinov4")


def test_a_missing_package_is_named():
    """A backend whose package this installation lacks is answered with the package, and with what else runs here."""
    registry = Registry(
        "encoder",
        {"theirs": "package_nobody_has:Encoder", "others": "sys:argv", "ours": "core.encoders.dinov3:DinoV3Encoder"},
        packages={"ours": ("torch",), "others": ("torch", "package_nobody_has")},
    )
    with pytest.raises(BackendUnavailable, match=r"needs the package 'package_nobody_has'.*that runs here: ours$"):
        registry.create("theirs")


class Backend:
    """Keeps what it was made with."""

    def __init__(self, *, device: str = "auto", size: int = 1) -> None:
        self.options = (device, size)


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry[Backend]:
    """A registry with one backend."""
    module = ModuleType("backends_of_this_test")
    module.Backend = Backend  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return Registry("encoder", {"ours": f"{module.__name__}:Backend"})


def test_a_hint_is_taken_where_it_means_something(registry: Registry[Backend], caplog: pytest.LogCaptureFixture):
    """An option that some backends have reaches one that has it, and is left out and logged for one that has not."""
    made = registry.create("ours", {"device": "cuda:1", "prompt_style": "strict"}, size=3)

    assert made.options == ("cuda:1", 3)
    assert "'ours' takes no prompt_style: 'strict' means nothing to it" in caplog.text
    assert "device" not in caplog.text


def test_an_option_goes_before_a_hint(registry: Registry[Backend]):
    """What was said for this backend outweighs what was said for all."""
    assert registry.create("ours", {"device": "cpu"}, device="cuda").options == ("cuda", 1)


@pytest.mark.parametrize(
    ("variables", "settings", "registry", "refusal"),
    [
        ({"M1_MODEL": "/models/dinov3"}, RetrievalSettings, ENCODERS, "encoder 'embedded' takes no 'model'"),
        ({"M3_MODEL": "/models/qwen3_vl"}, VerifierSettings, VERIFIERS, "verifier 'geometric' takes no 'model'"),
    ],
)
def test_a_model_is_never_named_in_vain(
    variables: dict[str, str],
    settings: type[RetrievalSettings | VerifierSettings],
    registry: Registry[Any],
    refusal: str,
    monkeypatch: pytest.MonkeyPatch,
):
    """A backend that takes no model is not started in the stead of one that would have taken it."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    said = settings()
    name = said.encoder if isinstance(said, RetrievalSettings) else said.verifier
    with pytest.raises(InvalidRequest, match=refusal):
        registry.create(name, said.hints, **said.options)


def test_every_runnable_backend_has_its_packages():
    """Here, where all extras are installed, everything runs; what names a package that there is not, would not."""
    assert ENCODERS.runnable == ENCODERS.names
    assert VERIFIERS.runnable == VERIFIERS.names


def test_an_unknown_option_is_refused(registry: Registry[Backend]):
    """A misspelt option of the backend stops the start and is answered with those there are."""
    with pytest.raises(InvalidRequest, match=r"'sise'; it takes: device, size"):
        registry.create("ours", {"device": "cpu"}, sise=3)
