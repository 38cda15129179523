"""What can be checked of images and compose files without building; ``make check-deploy`` runs the real parsers."""

import inspect
import json
import re
import tomllib
from importlib import import_module
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from core.runtime.memory import MALLOC_ENVIRONMENT
from gateway.settings import GatewaySettings
from services.retrieval.settings import RetrievalSettings
from services.verifier.settings import VerifierSettings
from serving.settings import ProcessSettings

REPOSITORY = Path(__file__).parents[2]
DOCKERFILES = ["Dockerfile.m1", "Dockerfile.m3", "Dockerfile.cpu", "gateway/Dockerfile"]
SETTINGS: dict[str, type[ProcessSettings]] = {
    "m1": RetrievalSettings, "m3": VerifierSettings, "gateway": GatewaySettings,
}  # fmt: skip

# Fixed by the images and the compose file: an operator has no reason to change them inside a container.
FIXED = {"HOST", "PORT", "PUBLISHED_ON", "SERVICE_KEY", "DATA_DIR", "RETRIEVAL_URL", "VERIFIER_URL"}


class ComposeLoader(yaml.SafeLoader):
    """Reads ``!override`` as the value that follows, and ``!reset`` as the word."""


ComposeLoader.add_constructor("!reset", lambda _loader, _node: "reset")
ComposeLoader.add_constructor("!override", lambda loader, node: (
    loader.construct_mapping(node, deep=True) if isinstance(node, yaml.MappingNode) else loader.construct_sequence(node)
))  # fmt: skip


def read_compose(name: str) -> dict[str, Any]:
    """The services of a compose file."""
    services: dict[str, Any] = yaml.load((REPOSITORY / name).read_text(), ComposeLoader)["services"]
    return services


def variables_of(service: str) -> set[str]:
    """Names of a service's settings that an operator may change."""
    kind = SETTINGS[service]
    return {
        f"{kind.model_config['env_prefix']}{name}".upper() for name in kind.model_fields if name.upper() not in FIXED
    }


@pytest.fixture(params=DOCKERFILES)
def dockerfile(request: pytest.FixtureRequest) -> str:
    """Each Dockerfile in turn."""
    return (REPOSITORY / request.param).read_text()


@pytest.mark.parametrize("service", SETTINGS)
def test_every_setting_reaches_its_container(service: str):
    """The compose file hands through exactly the settings that the process knows: no more, no less."""
    environment = set(read_compose("docker-compose.yml")[service]["environment"])
    prefix = SETTINGS[service].model_config["env_prefix"]
    named = {name for name in environment if name.startswith(prefix)}
    assert {name for name in named if name.removeprefix(prefix) not in FIXED} == variables_of(service)


@pytest.mark.parametrize("compose", sorted(path.name for path in REPOSITORY.glob("docker-compose*.yml")))
def test_no_variable_of_an_image_stands_without_a_value(compose: str):
    """Compose removes an image's own variable where it lists its name alone: an image's have their value."""
    images: dict[str, str] = {}
    for name in DOCKERFILES:
        final = (REPOSITORY / name).read_text().rpartition("\nFROM ")[2]
        (block,) = re.findall(r"^ENV ((?:.*\\\n)*.*)$", final, re.MULTILINE)
        images |= dict(re.findall(r"([A-Z0-9_]+)=(\S+)", block))
    assert {"M1_ENCODER", "M3_VERIFIER", "HF_HOME"} <= set(images)
    for service in read_compose(compose).values():
        for name, value in (service.get("environment") or {}).items():
            assert value is not None or name not in images, f"{name} of the image would be removed"
            default = re.fullmatch(r"\$\{[A-Z0-9_]+:-(.*)\}", str(value))
            assert not default or images.get(name, default[1]) == default[1]


@pytest.mark.parametrize("dockerfile", ["Dockerfile.m1", "Dockerfile.m3"])
def test_a_gpus_memory_is_given_in_segments_that_can_grow(dockerfile: str):
    """Photos of many shapes need blocks of many sizes, which would leave gaps in segments of a fixed size."""
    assert "PYTORCH_ALLOC_CONF=expandable_segments:True " in (REPOSITORY / dockerfile).read_text()


def test_the_image_for_the_cpu_gives_memory_back():
    """Its processes start as `make up` starts them."""
    (tunables,) = MALLOC_ENVIRONMENT.values()

    assert f"    GLIBC_TUNABLES={tunables} " in (REPOSITORY / "Dockerfile.cpu").read_text()


def test_the_gateway_sees_no_secret():
    """The public door holds no hub token."""
    assert "HF_TOKEN" not in read_compose("docker-compose.yml")["gateway"]["environment"]


def test_the_example_lists_every_variable():
    """.env.example names every setting and every variable of the compose files, and nothing that does not exist."""
    listed = set(re.findall(r"^# ([A-Z][A-Z0-9_]+)=", (REPOSITORY / ".env.example").read_text(), re.MULTILINE))
    texts = [path.read_text() for path in REPOSITORY.glob("docker-compose*.yml")]
    interpolated = {name for text in texts for name in re.findall(r"\$\{([A-Z0-9_]+)", text)}
    handed_through = {
        name for text in texts for name in re.findall(r"^ +([A-Z][A-Z0-9_]+):(?: #.*)?$", text, re.MULTILINE)
    }
    assert listed == interpolated | handed_through | {"COMPOSE_FILE"}
    assert {name for service in SETTINGS for name in variables_of(service)} <= listed


@pytest.mark.parametrize(("service", "kind"), SETTINGS.items())
def test_the_examples_values_are_accepted(service: str, kind: type[ProcessSettings], monkeypatch: pytest.MonkeyPatch):
    """Every value shown in .env.example, uncommented, is one that the process takes."""
    text = (REPOSITORY / ".env.example").read_text()
    prefix = kind.model_config["env_prefix"]
    shown = re.findall(rf"^# ({prefix}[A-Z0-9_]+)=(.*?)(?:\s{{2,}}#.*)?$", text, re.MULTILINE)
    assert len(shown) == len(variables_of(service))
    for name, value in shown:
        if value:
            monkeypatch.setenv(name, value)
    options = kind().model_dump()
    for name, value in shown:
        assert not value or options[name.removeprefix(prefix).lower()] is not None


@pytest.mark.parametrize(
    ("variable", "backend"),
    [
        ("M1_ENCODER_OPTIONS", "core.encoders.dinov3:DinoV3Encoder"),
        ("M3_VERIFIER_OPTIONS", "core.verifiers.qwen.qwen3_vl:Qwen3VLVerifier"),
    ],
)
def test_the_examples_options_exist(variable: str, backend: str):
    """The options shown for a backend are its constructor's."""
    (value,) = re.findall(rf"^# {variable}=(\{{.*\}})", (REPOSITORY / ".env.example").read_text(), re.MULTILINE)
    module, _, name = backend.partition(":")
    accepted = inspect.signature(getattr(import_module(module), name)).parameters
    assert set(json.loads(value)) <= set(accepted)


def test_gpus_are_reserved_and_given_back_on_a_cpu():
    """m1 and m3 reserve a GPU each; the CPU override takes both reservations away, and the gateway never had one."""
    services, override = read_compose("docker-compose.yml"), read_compose("docker-compose.cpu.yml")
    for service in ("m1", "m3"):
        (device,) = services[service]["deploy"]["resources"]["reservations"]["devices"]
        assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
        assert override[service]["deploy"] == "reset"
    assert "deploy" not in services["gateway"]


def test_the_gallery_has_one_writer():
    """m1 alone may write the gallery."""
    for name in ("docker-compose.yml", "docker-compose.cpu.yml"):
        mounts = {service: read_compose(name)[service]["volumes"][0] for service in ("m1", "m3")}
        assert mounts["m1"].endswith(":/data/gallery")
        assert mounts["m3"] == f"{mounts['m1']}:ro"


def test_the_gateway_starts_when_retrieval_is_ready():
    """No visitor meets a product without candidates; while the verifier still loads, answers are unverified."""
    conditions = read_compose("docker-compose.yml")["gateway"]["depends_on"]
    assert conditions["m1"] == {"condition": "service_healthy"}
    assert conditions["m3"] == {"condition": "service_started"}
    for name in DOCKERFILES:
        assert re.search(r"HEALTHCHECK.*\n.*serving\.probe.*/health/ready", (REPOSITORY / name).read_text())


def test_only_the_gateway_is_published():
    """The two services and their gallery routes are not reachable from outside, the gateway from this machine only."""
    services = read_compose("docker-compose.yml")
    assert [name for name, service in services.items() if "ports" in service] == ["gateway"]
    assert services["gateway"]["ports"] == ["${PUBLIC_ADDRESS:-127.0.0.1}:${PUBLIC_PORT:-8000}:8000"]


@pytest.mark.parametrize(("service", "published"), [("m1", "none"), ("m3", "none"), ("gateway", "127.0.0.1")])
def test_the_containers_start_as_they_are(service: str, published: str, monkeypatch: pytest.MonkeyPatch):
    """Listening on all of a container's addresses is accepted for what the compose file says of its port."""
    kind = SETTINGS[service]
    prefix = kind.model_config["env_prefix"]
    stated = read_compose("docker-compose.yml")[service]["environment"][f"{prefix}PUBLISHED_ON"]
    monkeypatch.setenv(f"{prefix}HOST", "0.0.0.0")
    monkeypatch.setenv(f"{prefix}PUBLISHED_ON", re.sub(r"\$\{PUBLIC_ADDRESS:-(.*)\}", r"\1", stated))

    assert kind().published_on == published


def test_a_gateway_published_to_the_network_needs_keys(monkeypatch: pytest.MonkeyPatch):
    """PUBLIC_ADDRESS alone opens nothing."""
    monkeypatch.setenv("GATEWAY_HOST", "0.0.0.0")
    monkeypatch.setenv("GATEWAY_PUBLISHED_ON", "0.0.0.0")
    with pytest.raises(ValidationError, match=r"GATEWAY_PUBLISHED_ON=0\.0\.0\.0 lets other machines reach this"):
        GatewaySettings()

    monkeypatch.setenv("GATEWAY_KEYS_FILE", "/keys/keys.json")
    assert GatewaySettings().is_guarded


def test_images_run_as_an_ordinary_user(dockerfile: str):
    """The process is not root, and what it must write belongs to it before volumes are mounted there."""
    final = dockerfile.rpartition("\nFROM ")[2]
    assert "USER 10001:10001" in final
    assert final.index("useradd --uid 10001") < final.index("USER 10001")
    folders = re.findall(r'"(/[a-z/]+)"', (re.search(r"^VOLUME (.*)$", final, re.MULTILINE) or [""])[0])
    for folder in folders:
        assert re.search(rf"install -d .*{folder}( |$)", final, re.MULTILINE)


def test_images_are_pinned_and_built_in_stages(dockerfile: str):
    """The base is an exact version, every package is constrained, and compilers' leftovers stay behind."""
    (base,) = re.findall(r"^ARG PYTHON_IMAGE=(.*)$", dockerfile, re.MULTILINE)
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-[a-z]+", base)
    assert dockerfile.count("FROM ${PYTHON_IMAGE}") == 3  # to build in, to read the description in, and to ship
    installs = re.findall(r"pip install .*", dockerfile)
    assert installs
    assert all("--constraint constraints" in install or install.endswith("--no-deps . \\") for install in installs)


def test_images_hold_no_weights_and_ask_no_hub(dockerfile: str):
    """Building needs a package index and nothing else."""
    built = dockerfile.partition("\nFROM ")[2]
    assert not re.search(r"huggingface|hf[ _]hub|snapshot_download|HF_TOKEN", built)


def test_every_extra_exists(dockerfile: str):
    """What an image installs is an extra of the project."""
    extras = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    (wanted,) = re.findall(r'(?:"\.\[|^ARG EXTRAS=)([a-z0-9,]+)', dockerfile, re.MULTILINE)
    assert set(wanted.split(",")) <= set(extras)


def test_the_build_context_is_the_project_and_no_more():
    """Every package is sent to the builder; photos, secrets and tests are not."""
    lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    pyproject = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    wheel, project = pyproject["tool"]["hatch"]["build"]["targets"]["wheel"], pyproject["project"]
    assert rules[0] == "*"
    allowed = {rule[1:] for rule in rules if rule.startswith("!")}
    assert set(wheel["packages"]) | {"pyproject.toml", "README.md", *project["license-files"]} <= allowed
    assert not allowed & {"data", "tests", ".env", ".git", ".venv"}


def test_the_gpu_pins_build_on_the_others():
    """One PyTorch, one transformers for all images and for the tests."""
    lines = (REPOSITORY / "constraints-gpu.txt").read_text().splitlines()
    assert "--constraint constraints.txt" in lines
    own = {line.partition("==")[0] for line in lines if "==" in line}
    shared = {
        line.partition("==")[0] for line in (REPOSITORY / "constraints.txt").read_text().splitlines() if "==" in line
    }
    assert own
    assert not own & shared


def test_qwen_vl_utils_gets_the_torchvision_of_this_torch():
    """It imports torchvision, which is built for one PyTorch; where it does not load, the image goes without it."""
    torch, torchvision = (
        int(re.search(pin, (REPOSITORY / name).read_text(), re.MULTILINE)[1])
        for name, pin in (("constraints.txt", r"^torch==2\.(\d+)"), ("constraints-gpu.txt", r"^torchvision==0\.(\d+)"))
    )
    assert torchvision == torch + 15
    built = (REPOSITORY / "Dockerfile.m3").read_text()
    installs = re.findall(r"pip install .*(?: torch |\[m3).*", built)
    assert len(installs) == 2
    assert all('--extra-index-url "$TORCH_INDEX_URL"' in install for install in installs)
    assert 'python -B -c "import qwen_vl_utils" || /opt/venv/bin/pip uninstall --yes torchvision' in built


def test_every_image_is_built_once():
    """Of services that share an image one builds it: two builds would leave an image without a name."""
    sharing = {"docker-compose.cpu.yml": ("m3",), "docker-compose.scale.yml": ("gateway-b", "m1-b", "m3-b")}
    for compose, names in sharing.items():
        for name in names:
            service = read_compose(compose)[name]
            assert (service["build"], service["pull_policy"]) == ("reset", "never")


def test_the_fixed_subnet_is_none_that_docker_gives_away():
    """Docker hands out parts of 172.16.0.0/12 and 192.168.0.0/16 by itself, to whichever project comes first."""
    text = (REPOSITORY / "docker-compose.scale.yml").read_text()
    (subnet,) = re.findall(r"FRONT_NETWORK:-([0-9./]+)", text)
    assert not any(ip_network(subnet).overlaps(ip_network(pool)) for pool in ("172.16.0.0/12", "192.168.0.0/16"))


def test_only_volumes_and_tmp_are_written():
    """The system of every container is read-only; retrieval receives uploads on disk, whatever their size."""
    services = read_compose("docker-compose.yml")
    for name in (*SETTINGS, "settings"):
        assert services[name]["read_only"] is True
    assert "uploads:/tmp" in services["m1"]["volumes"]
    assert "uploads:/tmp" in read_compose("docker-compose.cpu.yml")["m1"]["volumes"]
    assert services["m3"]["tmpfs"] == services["gateway"]["tmpfs"] == ["/tmp"]
