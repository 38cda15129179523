"""The real embedded models, loaded once for all tests of the library."""

import pytest

from core.encoders.embedded import EmbeddedEncoder
from core.runtime.threads import limit_threads
from core.verifiers.geometric import GeometricVerifier


@pytest.fixture(scope="session")
def embedded() -> EmbeddedEncoder:
    """The embedded encoder."""
    limit_threads(1)
    return EmbeddedEncoder()


@pytest.fixture(scope="session")
def geometric():
    """The geometric verifier, one candidate at a time."""
    limit_threads(1)
    verifier = GeometricVerifier(threads=1)
    yield verifier
    verifier.close()
