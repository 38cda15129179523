"""The balancer of a deployment past one machine."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.shipped_balancer import Balancer, running


@pytest.fixture
def balancer(tmp_path: Path) -> Iterator[Balancer]:
    """As docker-compose.scale.yml has it."""
    with running(tmp_path) as started:
        yield started
