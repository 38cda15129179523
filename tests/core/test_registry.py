from importlib.util import find_spec

import pytest

from core.encoders import ENCODERS
from core.errors import UnknownBackend
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
