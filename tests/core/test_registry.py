from importlib.util import find_spec

import pytest

from core.encoders import ENCODERS
from core.errors import BackendUnavailable, UnknownBackend
from core.registry import Registry
from core.verifiers import VERIFIERS


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
    """A backend whose package this installation lacks is answered with the package, and with what else there is."""
    registry = Registry(
        "encoder", {"theirs": "package_nobody_has:Encoder", "ours": "core.encoders.dinov3:DinoV3Encoder"}
    )
    with pytest.raises(BackendUnavailable, match=r"needs the package 'package_nobody_has'.*ours, theirs"):
        registry.create("theirs")
