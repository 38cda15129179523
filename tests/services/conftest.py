"""The real services on fakes of their models."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.encoders import ThumbnailEncoder
from in_process import AppClient

from services.retrieval.app import create_app
from services.retrieval.settings import RetrievalSettings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the gallery lies."""
    return tmp_path / "gallery"


@pytest.fixture
def retrieval(folder: Path) -> Iterator[AppClient]:
    """The retrieval service with an empty gallery."""
    settings = RetrievalSettings(data_dir=folder)
    with AppClient(create_app(settings, encoder=ThumbnailEncoder(local_features=True))) as client:
        yield client
