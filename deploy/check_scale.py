"""Checks what is deployed past one machine with the real parsers, which `make check-deploy` installs.

    docker compose -f docker-compose.scale.yml config --format json | python deploy/check_scale.py

Docker Compose's own reading comes by standard input; deploy/overlay, which stands on deploy/kubernetes, and deploy/fill
are built by Kustomize's library and each object held to the schemas of several Kubernetes versions, in which no unknown
field is allowed. Prints what is wrong.
"""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pykustomize

DEPLOY = Path(__file__).parent
VERSIONS = ("1.30", "1.33", "1.37")  # the oldest with `preStop: sleep`, and newer ones
PUBLISHED = ["balancer"]
RUN_ONCE = {"bucket", "settings"}  # waited for until they have ended
SECRETS = {"matcher-stores", "matcher-keys"}  # made by hand; docs/scale.md lists their keys

Object = dict[str, Any]


def main() -> int:
    """Check both; 1 if anything is wrong."""
    objects = build("overlay", "fill")
    problems = [*check_compose(json.load(sys.stdin)), *check_schemas(objects), *check_references(objects)]
    for problem in problems:
        print(problem)
    print(f"{len(objects)} Kubernetes objects, {len(problems)} problems")
    return 1 if problems else 0


def build(*folders: str) -> list[Object]:
    """What these make together, so that one finds what it calls by name in the other."""
    with tempfile.TemporaryDirectory() as made:
        # Kustomize takes no absolute paths, and of relative ones no way through a link.
        folder = Path(made).resolve()
        named = [os.path.relpath((DEPLOY / name).resolve(), folder) for name in folders]
        (folder / "kustomization.yaml").write_text(json.dumps({"resources": named}))
        objects: list[Object] = asyncio.run(pykustomize.build_json(folder)).resources
        return objects


def check_compose(project: Object) -> Iterator[str]:
    """Nothing but the balancer is published, and what is to be waited for says when it is healthy."""
    services: dict[str, Object] = project["services"]
    published = [name for name, service in services.items() if service.get("ports")]
    if published != PUBLISHED:
        yield f"compose: {published} are published, not {PUBLISHED}"
    built = {service["image"] for service in services.values() if "build" in service}
    for name, service in services.items():
        if service["image"] in built:  # the product's own, which brings its health check
            continue
        if not service.get("healthcheck") and name not in RUN_ONCE:
            yield f"compose: {name} has no health check"
        if service["image"].partition(":")[2] in ("", "latest"):
            yield f"compose: {name} is of no exact version: {service['image']}"
    for name in ("stores", "inside"):
        if not project["networks"][name].get("internal"):
            yield f"compose: network {name} leads outside"


def check_schemas(objects: list[Object]) -> Iterator[str]:
    """Every field exists and has a value of its kind."""
    for manifest in objects:
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(manifest, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                yield f"{_name(manifest)}, Kubernetes {version}: {error.message}"


def check_references(objects: list[Object]) -> Iterator[str]:
    """What one object calls another by exists."""
    names = {_name(manifest) for manifest in objects}
    pods = {
        _name(manifest): manifest["spec"]["template"] for manifest in objects if "template" in manifest.get("spec", {})
    }
    labels = [pod["metadata"]["labels"] for pod in pods.values()]
    for manifest in objects:
        spec = manifest.get("spec", {})
        if manifest["kind"] == "HorizontalPodAutoscaler":
            target = f"{spec['scaleTargetRef']['kind']} {spec['scaleTargetRef']['name']}"
            if target not in pods:
                yield f"{_name(manifest)} scales {target}, which does not exist"
        if manifest["kind"] == "Job":
            continue  # it finds its pods itself
        selector = spec.get("selector", {})
        wanted = selector if manifest["kind"] == "Service" else selector.get("matchLabels", {})
        if wanted and not any(wanted.items() <= of_pod.items() for of_pod in labels):
            yield f"{_name(manifest)} selects no pod: {wanted}"
    for name, pod in pods.items():
        for kind, referred in _references(pod["spec"]):
            if kind == "Secret" and referred not in SECRETS:
                yield f"{name} wants secret {referred}, which docs/scale.md does not tell of"
            if kind == "ConfigMap" and f"ConfigMap {referred}" not in names:
                yield f"{name} wants config map {referred}, which is not made"


def _references(pod: Object) -> Iterator[tuple[str, str]]:
    """The secrets and config maps that a pod reads."""
    for volume in pod.get("volumes", []):
        if "secret" in volume:
            yield "Secret", volume["secret"]["secretName"]
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"]
    for container in pod["containers"]:
        for source in container.get("envFrom", []):
            yield "ConfigMap", source["configMapRef"]["name"]
        for variable in container.get("env", []):
            if "valueFrom" in variable:
                yield "Secret", variable["valueFrom"]["secretKeyRef"]["name"]


def _name(each: Object) -> str:
    return f"{each['kind']} {each['metadata']['name']}"


if __name__ == "__main__":
    raise SystemExit(main())
