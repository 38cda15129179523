"""A misspelt name in .env ends the start of every deployment, before anything else of it runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from deployment.test_deployment import SETTINGS, read_compose

REPOSITORY = Path(__file__).parents[2]


def check(**variables: str) -> subprocess.CompletedProcess[str]:
    """Run the check as the container does, with these variables in .env."""
    command = [sys.executable, REPOSITORY / "deploy" / "check_env.py", REPOSITORY / ".env.example"]
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "PYTHON_VERSION": "3.11.13", "HOSTNAME": "0123"}
    return subprocess.run(command, env=environment | variables, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("M3_ACCEPT_TRESHOLD", "M3_ACCEPT_THRESHOLD"),
        ("GATEWAY_REQUIRE_VERIFIKATION", "GATEWAY_REQUIRE_VERIFICATION"),
        ("GATEWAY_RATE_PER_MINUT", "GATEWAY_RATE_PER_MINUTE"),
        ("PUBLIC_ADRESS", "PUBLIC_ADDRESS"),
        ("m1_enc0der", "M1_ENCODER"),
    ],
)
def test_a_misspelt_name_is_refused(name: str, meant: str):
    """The name and what was probably meant are said, and the value is not."""
    done = check(**{name: "0.99-secret"})
    assert done.returncode == 1
    assert f"{name}: no such setting; did you mean {meant}?" in done.stderr
    assert "secret" not in done.stderr


def test_a_name_like_no_other_is_refused_with_a_processes_prefix():
    """What begins as a setting does and is none is refused, even where nobody can say what was meant."""
    assert check(GATEWAY_COLOUR="red").returncode == 1


def test_what_the_containers_or_others_read_is_accepted():
    """Settings, Compose's own variables and those of the operator's other tools pass."""
    names = ("M3_ACCEPT_THRESHOLD", "PUBLIC_PORT", "HTTPS_PROXY", "http_proxy", "COMPOSE_PROFILES", "DOCKER_HOST", "TZ")
    done = check(**dict.fromkeys(names, "1"))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("compose", ["docker-compose.yml", "docker-compose.scale.yml"])
def test_nothing_of_the_product_starts_before_the_check(compose: str):
    """Each process waits for the check, its own or that of what it waits for."""
    services = read_compose(compose)
    base = read_compose("docker-compose.yml")
    for name, service in services.items():
        if name.partition("-")[0] in SETTINGS:
            origin = service
            while "depends_on" not in origin or not origin.get("depends_on", {}).get("settings"):
                extends = origin["extends"]
                origin = (base if "file" in extends else services)[extends["service"]]
            assert origin["depends_on"]["settings"] == {"condition": "service_completed_successfully"}
