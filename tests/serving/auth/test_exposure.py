"""A process that others could reach does not start without keys; tried on the real processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.settings import GatewaySettings
from services.retrieval.settings import RetrievalSettings
from services.verifier.settings import VerifierSettings
from serving.auth.exposure import address_to_open, is_loopback
from serving.settings import ProcessSettings

ROOT = Path(__file__).parents[3]
KINDS = [GatewaySettings, RetrievalSettings, VerifierSettings]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost", "LocalHost", "::ffff:127.0.0.1"]
)
def test_loopback_is_known_in_every_spelling(host: str):
    """These reach no further than this machine."""
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "", "10.0.0.1", "::ffff:10.0.0.1", "museum.local", "localhost.evil", "127.1"]
)
def test_everything_else_is_not_loopback(host: str):
    """A name may mean any address, and a spelling that is not understood is not trusted."""
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("[::1]", "http://[::1]:8000"),
        ("192.168.1.5", "http://192.168.1.5:8000"),
    ],
)
def test_the_address_announced_can_be_opened(host: str, url: str):
    """No browser opens the address that means all addresses."""
    assert address_to_open(host, 8000) == url


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("settings", "starts"),
    [
        ({}, True),
        ({"host": "::1"}, True),
        ({"host": "0.0.0.0"}, False),
        ({"host": "192.168.1.5"}, False),
        ({"host": "0.0.0.0", "published_on": "127.0.0.1"}, True),
        ({"host": "0.0.0.0", "published_on": "none"}, True),
        ({"host": "0.0.0.0", "published_on": "0.0.0.0"}, False),
        ({"published_on": "192.168.1.5"}, False),
    ],
)
def test_only_loopback_goes_without_keys(kind: type[ProcessSettings], settings: dict[str, str], starts: bool):
    """Whatever address a process is told to listen on, and whatever is said of its container."""
    if starts:
        assert not kind(**settings).is_guarded
        return
    with pytest.raises(ValidationError, match="lets other machines reach this process without a key"):
        kind(**settings)
    guarded = {"keys_file": "keys.json"} if kind is GatewaySettings else {"service_key": "x" * 20}
    assert kind(**settings, **guarded).is_guarded


@pytest.mark.parametrize(
    ("module", "prefix", "guard"),
    [
        ("gateway", "GATEWAY", "GATEWAY_KEYS_FILE"),
        ("standalone", "GATEWAY", "GATEWAY_KEYS_FILE"),
        ("services.retrieval", "M1", "M1_SERVICE_KEY"),
        ("services.verifier", "M3", "M3_SERVICE_KEY"),
    ],
)
def test_the_process_ends_with_a_sentence(module: str, prefix: str, guard: str, tmp_path: Path):
    """The real process says why it does not start and what to do, without a traceback."""
    ended = subprocess.run(
        [sys.executable, "-m", module],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), f"{prefix}_HOST": "0.0.0.0", f"{prefix}_PORT": "0"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 1
    assert f"{prefix}_HOST=0.0.0.0 lets other machines reach this process" in ended.stderr
    assert f"Set {guard}, or listen on 127.0.0.1" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_keys_file_that_is_missing_ends_the_start(tmp_path: Path):
    """Nobody could sign in, so the process says how to make the first key."""
    ended = subprocess.run(
        [sys.executable, "-m", "gateway"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "GATEWAY_KEYS_FILE": "keys.json", "GATEWAY_PORT": "0"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 1
    assert "the keys file keys.json cannot be read: No such file or directory" in ended.stderr
    assert "python -m gateway.manage_keys create --name NAME --role admin" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_role_for_visitors_without_keys_is_a_mistake():
    """Whoever sets it believes that managing needs a key."""
    with pytest.raises(ValidationError, match="everybody may do everything; set GATEWAY_KEYS_FILE as well"):
        GatewaySettings(anonymous_role="match")
