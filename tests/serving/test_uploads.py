"""Where what arrives cannot be kept, the answer says whose matter that is."""

import tempfile
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from serving.body_slots import BodySlots, Pace
from serving.errors import install_error_table
from serving.uploads import open_form


def test_a_server_without_temporary_files_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A read-only container without /tmp is not overloaded, and trying again later would not help: neither is said."""
    app = FastAPI()
    install_error_table(app, {})

    @app.post("/")
    async def receive(request: Request) -> None:
        with BodySlots(1, 10**9, Pace(20, 1)).admit() as incoming:
            async with open_form(request, incoming, max_bytes=10**9):
                pass

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with TestClient(app) as client:
        answer = client.post("/", files={"file": ("photos.zip", b"x" * 200_000)})

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (503, "backend_unavailable")
    assert "make /tmp writable" in error["message"]
    assert "try again" not in error["message"]
    assert "Retry-After" not in answer.headers
