"""Every change is written down, with who, what and how it ended, and never a key."""

import json
from pathlib import Path
from typing import Any

import pytest
from bad_photos import GOOD_PHOTO
from fakes.encoders import ThumbnailEncoder
from guarded import Guarded
from in_process import AppClient

from gateway import manage_keys
from services.retrieval.app import create_app as create_retrieval
from services.retrieval.settings import RetrievalSettings
from serving.audit import AuditLog

# Every route of the retrieval service that changes something; a new one has to be entered here, with its line.
CHANGES = {
    "POST /index/images": "image.add",
    "PATCH /index/images/{image_id}": "image.edit",
    "DELETE /index/images/{image_id}": "image.delete",
    "POST /index/images/move": "image.move",
    "PUT /index/places/audio": "audio.store",
    "DELETE /index/places/audio": "audio.delete",
    "POST /collections/{collection}/calibration": "calibration.make",
    "PATCH /collections/{collection}/calibration": "calibration.edit",
    "DELETE /collections/{collection}/calibration": "calibration.delete",
    "PATCH /collections/{collection}/branding": "branding.edit",
    "PATCH /collections/{collection}": "collection.rename",
    "DELETE /collections/{collection}": "collection.delete",
    "POST /sample": "sample.build",
    "POST /collections": "collection.create",
    "PATCH /collections/{collection}/places/{place}": "place.edit",
    "DELETE /collections/{collection}/places/{place}": "place.delete",
    "POST /trash/{deletion_id}/restore": "trash.restore",
    "DELETE /trash": "trash.empty",
    "DELETE /trash/{deletion_id}": "trash.empty",
    "POST /inbox/{entry}/decision": "inbox.decide",
    "DELETE /inbox/{entry}": "inbox.delete",
}
# What visitors leave behind is theirs, and has records of its own.
NO_CHANGES = {"POST /search", "POST /index/known", "POST /index/plan", "POST /matches", "POST /feedback"}
NO_CHANGES |= {"POST /inbox", "DELETE /inbox"}


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The log's lines."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_change_has_its_line(guarded: Guarded):
    """Added, edited, deleted, and a change that failed: each with its caller, their address, ids and request id."""
    photo = {"file": ("a.jpg", GOOD_PHOTO)}
    added = guarded.request("POST", "/index/images", "manage", files=photo, headers={"X-Request-ID": "first"})
    image_id = added.json()["results"][0]["image"]["id"]
    path = f"/index/images/{image_id}"
    guarded.request("PATCH", path, "admin", json={"place_name": "A name", "description": "Something secret."})
    guarded.request("DELETE", path, "manage")
    guarded.request("DELETE", path, "manage")

    lines = lines_of(guarded.audit_file)

    assert [(line["action"], line["who"], line["outcome"]) for line in lines] == [
        ("image.add", "manage-key", "done"),
        ("image.edit", "admin-key", "done"),
        ("image.delete", "manage-key", "done"),
        ("image.delete", "manage-key", "failed: UnknownImage"),
    ]
    assert all(line["ids"] == [image_id] and line["address"] == "127.0.0.1" for line in lines)
    assert lines[0]["request_id"] == "first"
    assert (lines[0]["collection"], lines[1]["fields"]) == ("default", ["description", "place_name"])
    text = guarded.audit_file.read_text()
    assert not any(secret in text for secret in [*guarded.keys.values(), "Something secret."])


def test_every_changing_route_is_known(guarded: Guarded):
    """A route that changes something without a line in the log fails here."""
    app = create_retrieval(RetrievalSettings())
    changing = {
        f"{method.upper()} {path}"
        for path, item in app.openapi()["paths"].items()
        for method in item
        if method != "get"
    }

    assert changing - NO_CHANGES == set(CHANGES)


def test_refused_requests_change_nothing_and_write_nothing(guarded: Guarded):
    """The log is of changes, not of attempts."""
    guarded.request("DELETE", f"/index/images/{'0' * 32}", "match")

    assert not guarded.audit_file.exists()


def test_without_a_service_key_nobody_is_believed(tmp_path: Path):
    """A retrieval service that cannot know its gateway writes down the address, and not the name that was claimed."""
    settings = RetrievalSettings(data_dir=tmp_path / "gallery", audit_file=tmp_path / "audit.jsonl")
    with AppClient(create_retrieval(settings, encoder=ThumbnailEncoder(local_features=True))) as client:
        client.request("DELETE", f"/index/images/{'0' * 32}", headers={"X-Asked-By": "director 10.0.0.1"})

    (line,) = lines_of(tmp_path / "audit.jsonl")
    assert (line["who"], line["address"]) == ("anonymous", "127.0.0.1")


def test_keys_that_are_made_and_revoked_are_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    """By name and role; the key itself is printed once and stands in no file."""
    monkeypatch.setenv("GATEWAY_KEYS_FILE", str(tmp_path / "keys.json"))
    monkeypatch.setenv("GATEWAY_AUDIT_FILE", str(tmp_path / "audit.jsonl"))

    assert manage_keys.main(["create", "--name", "desk", "--role", "match"]) == 0
    key = capsys.readouterr().out.strip()
    assert manage_keys.main(["create", "--name", "desk", "--role", "admin"]) == 1
    assert manage_keys.main(["list"]) == 0
    listed = capsys.readouterr().out
    assert manage_keys.main(["revoke", "--name", "desk"]) == 0
    assert manage_keys.main(["revoke", "--name", "desk"]) == 1

    lines = lines_of(tmp_path / "audit.jsonl")
    assert [(line["action"], line["ids"], line["role"]) for line in lines] == [
        ("key.create", ["desk"], "match"),
        ("key.revoke", ["desk"], "match"),
    ]
    assert key.startswith("sim_")
    assert listed.startswith("desk ")
    assert key not in listed + (tmp_path / "keys.json").read_text() + (tmp_path / "audit.jsonl").read_text()


def test_a_key_is_restricted_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """The option is repeated for every collection, and the list and the log name them; an admin's key is refused."""
    monkeypatch.setenv("GATEWAY_KEYS_FILE", str(tmp_path / "keys.json"))
    monkeypatch.setenv("GATEWAY_AUDIT_FILE", str(tmp_path / "audit.jsonl"))
    restriction = ["--collection", "east", "--collection", "west wing"]

    assert manage_keys.main(["create", "--name", "boss", "--role", "admin", *restriction]) == 1
    refused = capsys.readouterr().err
    assert manage_keys.main(["create", "--name", "desk", "--role", "manage", *restriction]) == 0
    capsys.readouterr()
    assert manage_keys.main(["list"]) == 0

    assert "a key with the role admin cannot be restricted to collections" in refused
    assert capsys.readouterr().out.rstrip().endswith("  only east, west wing")
    (line,) = lines_of(tmp_path / "audit.jsonl")
    assert (line["ids"], line["collections"]) == (["desk"], ["east", "west wing"])


def test_an_interrupted_change_is_written_as_such(tmp_path: Path):
    """When a change is cut off nobody claims that it was done or that it failed."""
    audit = AuditLog(tmp_path / "audit.jsonl")

    with pytest.raises(KeyboardInterrupt), audit.change("image.delete", "a"):
        raise KeyboardInterrupt

    assert lines_of(tmp_path / "audit.jsonl")[0]["outcome"] == "interrupted"


def test_the_log_may_be_rotated_at_any_time(tmp_path: Path):
    """Renamed under the running program, the file is begun anew with the next line."""
    path, audit = tmp_path / "audit.jsonl", AuditLog(tmp_path / "audit.jsonl")
    for name in ("a", "b"):
        with audit.change("image.delete", name):
            pass
        path.rename(tmp_path / name)

    assert [lines_of(tmp_path / name)[0]["ids"] for name in ("a", "b")] == [["a"], ["b"]]


def test_a_cluster_collects_what_is_said(capfd: pytest.CaptureFixture[str]):
    """With ``-`` the lines go to standard output."""
    with AuditLog(Path("-")).change("image.delete", "a"):
        pass

    assert json.loads(capfd.readouterr().out)["ids"] == ["a"]


def test_a_log_that_cannot_be_written_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """The change is still acknowledged, because it happened; its line stands in the process's log instead."""
    with AuditLog(tmp_path / "missing" / "audit.jsonl").change("image.delete", "abc"):
        pass

    assert "not in the audit log" in caplog.text
    assert '"ids": ["abc"]' in caplog.text
