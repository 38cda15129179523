"""What can be checked of the deployments past one machine by reading; ``make check-deploy`` runs the real parsers."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.settings import GatewaySettings
from services.retrieval.settings import RetrievalSettings
from services.verifier.settings import VerifierSettings
from serving.metrics import Metrics
from serving.settings import ProcessSettings

REPOSITORY = Path(__file__).parents[2]
KUBERNETES = REPOSITORY / "deploy" / "kubernetes"
GUIDE = (REPOSITORY / "docs" / "scale.md").read_text()
SECRETS = {"SERVICE_KEY", "POSTGRES_PASSWORD", "STORE_USER", "STORE_PASSWORD"}
PROCESSES: dict[str, type[ProcessSettings]] = {
    "gateway": GatewaySettings, "m1": RetrievalSettings, "m3": VerifierSettings,
}  # fmt: skip


class ComposeLoader(yaml.SafeLoader):
    """Reads ``!override`` and ``!reset`` as the value that follows."""


def _value_that_follows(loader: ComposeLoader, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    return loader.construct_sequence(node, deep=True) if isinstance(node, yaml.SequenceNode) else None


for tag in ("!override", "!reset"):
    ComposeLoader.add_constructor(tag, _value_that_follows)


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """The services of docker-compose.scale.yml, what they extend left out."""
    found: dict[str, Any] = yaml.load((REPOSITORY / "docker-compose.scale.yml").read_text(), ComposeLoader)["services"]
    return found


@pytest.fixture(scope="module")
def objects() -> list[dict[str, Any]]:
    """The objects written in deploy/kubernetes."""
    names = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())["resources"]
    texts = [(KUBERNETES / name).read_text() for name in names if name.endswith(".yaml")]
    return [manifest for text in texts for manifest in yaml.safe_load_all(text)]


@pytest.fixture(scope="module")
def workloads(objects) -> dict[str, Any]:
    """What runs pods, by name."""
    return {
        manifest["metadata"]["name"]: manifest
        for manifest in objects
        if manifest["kind"] in ("Deployment", "StatefulSet")
    }


def settings_of(name: str, lines: list[str]) -> dict[str, str]:
    """The variables of one process among ``NAME=value`` lines."""
    prefix = f"{name.upper()}_"
    return dict(line.split("=", 1) for line in lines if line.startswith(prefix))


@pytest.fixture(scope="module")
def cluster_settings() -> list[str]:
    """The lines of settings.env."""
    return (KUBERNETES / "settings.env").read_text().splitlines()


class TestCompose:
    def test_every_secret_is_the_operators(self):
        """The file has no password of its own and names what is missing; without it nothing starts."""
        text = (REPOSITORY / "docker-compose.scale.yml").read_text()
        assert set(re.findall(r"\$\{([A-Z_]+):\?", text)) == SECRETS
        for line in text.splitlines():
            if re.search(r"(PASSWORD|SECRET|_KEY\b|ACCESS_KEY|TOKEN).*:", line) and not line.lstrip().startswith("#"):
                assert re.search(r": (\*|&[a-z-]+ \$\{|!reset null$)|\$\$STORE|TOKEN:$", line), line

    def test_only_the_balancer_is_published(self, services):
        """Gateways, services and stores are reached through it alone, or by those that need them."""
        assert [name for name, service in services.items() if service.get("ports")] == ["balancer"]
        assert services["balancer"]["ports"] == ["${PUBLIC_ADDRESS:-127.0.0.1}:${PUBLIC_PORT:-8000}:8080"]
        assert all(
            service["networks"] == ["stores"] for service in map(services.get, ("postgres", "minio", "etcd", "milvus"))
        )

    def test_there_are_two_of_what_computes(self, services):
        """Each process has a second one, with a disk and where needed a GPU of its own."""
        for name in ("gateway", "m1", "m3", "vllm"):
            assert services[f"{name}-b"]["extends"] == {"service": f"{name}-a"}
        mounts = [services[name]["volumes"][0].partition(":")[0] for name in ("m1-a", "m1-b", "m3-a", "m3-b")]
        assert mounts == ["m1-a", "m1-b", "m3-a", "m3-b"]
        text = (REPOSITORY / "docker-compose.scale.yml").read_text()
        assert sorted(re.findall(r"\$\{GPU_OF_[A-Z0-9_]+:-(\d)\}", text)) == ["1", "2", "3"]  # m1-a has 0

    def test_the_balancer_knows_every_replica(self, services):
        """cluster.conf names the replicas that the compose file starts, at the ports that they listen on."""
        text = (REPOSITORY / "deploy" / "nginx" / "cluster.conf").read_text()
        named = set(re.findall(r"server (?:front-)?([a-z0-9-]+):(\d+) resolve", text))
        ports = {"gateway": "8000", "m1": "8001", "m3": "8002"}
        assert named == {(f"{name}-{letter}", port) for name, port in ports.items() for letter in "ab"}
        assert {name for name, _ in named} <= set(services)

    def test_gateways_are_asked_where_the_balancer_is_believed(self, services):
        """Each by a name of its own that only the trusted network knows, so that visitors keep their addresses."""
        text = (REPOSITORY / "deploy" / "nginx" / "cluster.conf").read_text()
        aliases = []
        for name in ("gateway-a", "gateway-b"):
            networks = services[name]["networks"]
            assert set(networks) == {"front", "inside"}
            assert not networks["inside"]
            aliases += networks["front"]["aliases"]
        assert set(re.findall(r"server ([a-z0-9.-]*gateway[a-z0-9.-]*):8000", text)) == set(aliases)
        assert len(aliases) == len(set(aliases)) == 2
        assert set(aliases).isdisjoint(services)

    @pytest.mark.parametrize("name", PROCESSES)
    def test_settings_are_accepted(self, services, name: str, monkeypatch: pytest.MonkeyPatch):
        """Each process takes what the file tells it."""
        told = {key: value for key, value in services[f"{name}-a"]["environment"].items() if isinstance(value, str)}
        for key, value in told.items():
            given = re.sub(r"\$\{[A-Z0-9_]+:-(.*)\}", r"\1", value)
            monkeypatch.setenv(key, given.replace("${SERVICE_KEY:?", "x" * 20))
        assert PROCESSES[name]() is not None

    def test_the_guides_commands_name_services_that_exist(self, services):
        """Whoever copies a command of docs/scale.md meets the service, and the program, that it names."""
        pages = [GUIDE, (REPOSITORY / "docs" / "scale.zh-CN.md").read_text()]
        runs = [run for page in pages for run in re.findall(r"scale\.yml run ((?:.*\\\n)*.*)", page)]
        assert len(runs) >= 3
        for run in runs:
            name, module = re.search(r" ([a-z0-9-]+) (?:\\\n *)?python -m ([a-z_.]+)", run).groups()
            assert name in services
            assert (REPOSITORY / module.replace(".", "/")).with_suffix(".py").exists()

    def test_a_proxy_is_not_asked_for_stores(self, services):
        """What .env.example advises for NO_PROXY has the stores that are reached by HTTP."""
        (told,) = re.findall(r"^# NO_PROXY=.*: (\S+)$", (REPOSITORY / ".env.example").read_text(), re.MULTILINE)
        asked = {services["m1-a"]["environment"][name] for name in ("M1_S3_ENDPOINT", "M1_VECTOR_INDEX_OPTIONS")}
        assert set(re.findall(r"http://([a-z0-9-]+)", " ".join(asked))) <= set(told.split(","))

    def test_changes_are_written_down(self, services):
        """Without a word of the operator's there is an audit log."""
        assert services["gateway-a"]["environment"]["GATEWAY_AUDIT_FILE"] == "${GATEWAY_AUDIT_FILE:--}"
        assert services["m1-a"]["environment"]["M1_AUDIT_FILE"] == "${M1_AUDIT_FILE:--}"


class TestKubernetes:
    def test_every_workload_survives_a_drain(self, objects, workloads):
        """Two of each, on different nodes where possible, of which one at a time may be taken away."""
        budgets = {
            manifest["metadata"]["name"]: manifest for manifest in objects if manifest["kind"] == "PodDisruptionBudget"
        }
        assert budgets.keys() == workloads.keys() == {"balancer", "gateway", "m1", "m3", "vllm"}
        assert all(budget["spec"]["maxUnavailable"] == 1 for budget in budgets.values())
        assert all(workload["spec"]["replicas"] == 2 for workload in workloads.values())

    @pytest.mark.parametrize(("name", "port"), [("gateway", 8000), ("m1", 8001), ("m3", 8002)])
    def test_processes_are_run_as_the_images_are_built(self, workloads, name: str, port: int):
        """No root, nothing written but volumes, no invented variables, and health asked where it is told."""
        pod = workloads[name]["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert (pod["enableServiceLinks"], pod["securityContext"]["runAsUser"]) == (False, 10001)
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        }  # fmt: skip
        assert container["ports"] == [{"name": "http", "containerPort": port}]
        probes = {kind: container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")}
        assert probes == {"startup": "/health/live", "liveness": "/health/live", "readiness": "/health/ready"}
        compose = (REPOSITORY / "docker-compose.yml").read_text() + (REPOSITORY / "docker-compose.cpu.yml").read_text()
        assert f"image: {container['image']}\n" in compose

    def test_secrets_are_referred_to(self, objects):
        """No object holds one, and none is made from a file of the repository."""
        assert "Secret" not in {manifest["kind"] for manifest in objects}
        assert "secretGenerator" not in (KUBERNETES / "kustomization.yaml").read_text()
        assert not re.search(
            r"(?i)(password|secret|token|service_key)[a-z_]*=", (KUBERNETES / "settings.env").read_text()
        )

    def test_documented_secrets_are_those_that_are_read(self, workloads):
        """docs/scale.md tells how to make every secret, with every key."""
        read = re.findall(r"'name': '(matcher-[a-z]+)', 'key': '([a-z-]+)'", str(workloads))
        assert {name for name, _ in read} | {"matcher-keys"} == set(
            re.findall(r"secret generic (matcher-[a-z]+)", GUIDE)
        )
        assert {key for _, key in read} | {"keys.json"} == set(
            re.findall(r"--from-(?:literal|file)=([a-z.-]+)=", GUIDE)
        )

    def test_autoscaling_goes_by_metrics_that_exist(self, objects):
        """What the autoscalers ask for is the processor, or made by the adapterof metrics that the product has."""
        scalers = [manifest for manifest in objects if manifest["kind"] == "HorizontalPodAutoscaler"]
        metrics = [metric for scaler in scalers for metric in scaler["spec"]["metrics"]]
        asked = {metric["pods"]["metric"]["name"] for metric in metrics if metric["type"] == "Pods"}
        assert {metric["resource"]["name"] for metric in metrics if metric["type"] == "Resource"} == {"cpu"}
        rules = yaml.safe_load((KUBERNETES / "prometheus-adapter.yaml").read_text())["rules"]["custom"]
        assert asked == {rule["name"]["as"] for rule in rules}

        known = {metric.name for metric in Metrics("retrieval").registry.collect()}
        queries = " ".join(rule["seriesQuery"] + rule["metricsQuery"].replace("<<.Series>>", "") for rule in rules)
        assert set(re.findall(r"matcher_[a-z_]+", queries)) <= known

    def test_prometheus_finds_every_process(self, workloads):
        """What docs/monitoring.md configures keeps the pods of each key, labelled as the adapter expects."""
        page = (REPOSITORY / "docs" / "monitoring.md").read_text()
        (block,) = re.findall(r"```yaml\n(scrape_configs:[^`]*kubernetes_sd_configs[^`]*)```", page)
        found = []
        for job in yaml.safe_load(block)["scrape_configs"]:
            kept = {rule["source_labels"][0]: rule["regex"] for rule in job["relabel_configs"] if "regex" in rule}
            names = [name for name in workloads if re.fullmatch(kept["__meta_kubernetes_pod_label_app"], name)]
            for name in names:
                pod = workloads[name]["spec"]["template"]
                assert pod["metadata"]["labels"]["app"] == name
                assert (
                    kept["__meta_kubernetes_pod_container_port_name"]
                    == pod["spec"]["containers"][0]["ports"][0]["name"]
                )
            assert {"namespace", "pod"} == {rule.get("target_label") for rule in job["relabel_configs"]} - {None}
            found += names
        assert sorted(found) == sorted(PROCESSES)

    def test_changes_are_written_down(self, cluster_settings):
        """The audit log is on by default, where the cluster collects it."""
        assert {"GATEWAY_AUDIT_FILE=-", "M1_AUDIT_FILE=-"} <= set(cluster_settings)

    def test_only_the_ingress_reaches_the_balancer(self, objects):
        """No other pod may say whose address a request comes from; the patch for other controllers fits the policy.

        Gateways reach both services through it, and retrieval the verifier.
        """
        policies = {
            manifest["metadata"]["name"]: manifest for manifest in objects if manifest["kind"] == "NetworkPolicy"
        }
        rules = policies["balancer"]["spec"]["ingress"]
        doors: dict[int, list[object]] = {}
        for rule in rules:
            for port in rule["ports"]:
                doors.setdefault(port["port"], []).extend(rule["from"])
        gateway, m1 = ({"podSelector": {"matchLabels": {"app": app}}} for app in ("gateway", "m1"))
        assert doors[8080] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}}]
        assert (doors[8001], doors[8002]) == ([gateway], [gateway, m1])
        assert rules[0]["from"] == doors[8080]

    def test_every_model_server_is_asked(self, workloads, cluster_settings):
        """As many as there are, each by its own name, of the model that they serve."""
        told = settings_of("m3", cluster_settings)
        vllm = workloads["vllm"]["spec"]
        urls = [f"http://vllm-{number}.vllm:8000/v1" for number in range(vllm["replicas"])]
        assert json.loads(told["M3_VERIFIER_OPTIONS"]) == {"url": urls}
        (container,) = vllm["template"]["spec"]["containers"]
        assert container["command"] == ["vllm", "serve"]
        assert container["args"][:2] == [told["M3_MODEL"], f"--served-model-name={told['M3_MODEL']}"]

    def test_stores_are_outside_the_closed_namespace(self, objects, cluster_settings):
        """No pod of the product's own namespace is reached unless a policy says so, and none says so of a store."""
        (nobody,) = [manifest for manifest in objects if manifest["metadata"]["name"] == "nobody"]
        assert nobody["spec"] == {"podSelector": {}, "policyTypes": ["Ingress"]}
        text = "\n".join(cluster_settings)
        stores = re.findall(r"[/@]((?:postgres|minio|milvus)[a-z.]*):\d+", text)
        assert {name.split(".", 1)[1] for name in stores} == {"stores.svc"}
        assert len(stores) == 5

    def test_the_overlay_says_what_the_base_cannot_know(self, cluster_settings):
        """Where the stores and the images are: each image of the product, and settings that the base has as well."""
        overlay = yaml.safe_load((REPOSITORY / "deploy" / "overlay" / "kustomization.yaml").read_text())
        base = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
        assert [image["name"] for image in overlay["images"]] == [image["name"] for image in base["images"]]
        assert all(image["newName"].startswith("registry.example.org/") for image in overlay["images"])
        (settings,) = overlay["configMapGenerator"]
        assert set(settings["literals"]) == {
            line for line in cluster_settings if ".stores.svc" in line or "s3://" in line
        }

    def test_photos_are_built_in_as_many_parts_as_are_counted(self, workloads):
        """The Job that fills a gallery begins every part once, with what retrieval knows of stores and models."""
        job = yaml.safe_load((REPOSITORY / "deploy" / "fill" / "job.yaml").read_text())
        (container,) = job["spec"]["template"]["spec"]["containers"]
        (retrieval,) = workloads["m1"]["spec"]["template"]["spec"]["containers"]
        assert job["spec"]["completionMode"] == "Indexed"
        assert f'--shard "$((JOB_COMPLETION_INDEX + 1))/{job["spec"]["completions"]}"' in container["command"][-1]
        assert (container["image"], container["envFrom"]) == (retrieval["image"], retrieval["envFrom"])
        assert container["env"] == [variable for variable in retrieval["env"] if variable["name"] != "M1_SERVICE_KEY"]

    @pytest.mark.parametrize("name", PROCESSES)
    def test_settings_are_accepted(self, name: str, cluster_settings, monkeypatch: pytest.MonkeyPatch):
        """Each process takes what settings.env tells it, and stands on a pod's address with its key."""
        prefix = name.upper()
        for key, value in settings_of(name, cluster_settings).items():
            monkeypatch.setenv(key, value)
        monkeypatch.setenv(f"{prefix}_HOST", "0.0.0.0")
        monkeypatch.setenv(f"{prefix}_SERVICE_KEY", "x" * 20)

        assert PROCESSES[name]().is_guarded
