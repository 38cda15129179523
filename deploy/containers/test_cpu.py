"""The deployment for a CPU, used and maltreated as in docs/deployment.md."""

import io
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from product import MADE, NOTHING, SEEN, Product, parse_events, run, shown

LONGEST_S = 10.0 + 1.0  # GATEWAY_LONGEST_MATCH_S, and what an answer itself may take

# Kills the process that does a container's work; docker-init, the first, is spared by the kernel.
KILL = """
for each in /proc/[0-9]*; do case $(tr '\\0' ' ' <$each/cmdline) in python*) kill -9 ${each#/proc/};; esac; done
"""

pytestmark = pytest.mark.timeout(900)


def test_the_images_are_built(images: None):
    """By the compose files' own lines; PyTorch in them is the build for a CPU."""
    version = (
        "from importlib.metadata import distribution as d; print([r for r in d('torch').requires if 'nvidia' in r])"
    )
    done = run("docker", "run", "--rm", "semantic-image-matcher-cpu", "python", "-c", version)
    assert done.stdout.strip() == "[]"


@pytest.mark.smoke
class TestUse:
    """What visitors and curators do."""

    def test_all_are_healthy_in_order(self, cpu: Product):
        """Retrieval is healthy before the gateway starts, and every container says that it is healthy."""
        assert {cpu.inspect(name, "{{.State.Health.Status}}") for name in ("m1", "m3", "gateway")} == {"healthy"}
        assert cpu.inspect("m1", "{{.State.StartedAt}}") < cpu.inspect("gateway", "{{.State.StartedAt}}")
        assert cpu.inspect("settings", "{{.State.ExitCode}}") == "0"

    def test_a_photo_is_added_found_and_deleted(self, cpu: Product):
        """The right place is answered, verified, also as events; nothing else is; what is deleted is gone at once."""
        assert cpu.ask("POST", "/match", files={"file": SEEN[0]}).json()["error"]["code"] == "empty_gallery"
        for place in range(3):
            cpu.add(place)
        reply = cpu.match(1)
        assert (shown(reply), reply["verification"]) == ("place-1", "done")
        assert cpu.ask("POST", "/match", files={"file": NOTHING}).json()["place"] is None

        with httpx.stream(
            "POST", f"http://127.0.0.1:{cpu.port}/match", files={"file": SEEN[1]},
            headers={"Accept": "text/event-stream"}, timeout=60,
        ) as answer:  # fmt: skip
            events = parse_events(answer.read().decode())
        names = [name for name, _ in events]
        assert (names[0], names[-1], "verdict" in names) == ("candidates", "result", True)
        assert shown(events[-1][1]) == "place-1"

        image = reply["candidates"][0]["image_id"]
        assert cpu.ask("DELETE", f"/index/images/{image}").status_code == 204
        assert shown(cpu.match(1)) is None
        cpu.add(1)
        assert shown(cpu.match(1)) == "place-1"

    def test_an_archive_is_received_without_a_writable_system(self, cpu: Product):
        """A ZIP of several photos goes through the volume for uploads: the rest of the system is read-only."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as files:
            for place in range(4):
                files.writestr(f"place-{place}/{place}.jpg", MADE[place])
        answer = cpu.ask("POST", "/index/images", files={"files": ("photos.zip", archive.getvalue())})
        assert answer.status_code == 200, answer.text

    @pytest.mark.parametrize("service", ["m1", "m3", "gateway"])
    def test_a_container_may_do_little(self, cpu: Product, service: str):
        """An ordinary user without capabilities, who can gain none, on a system that is read-only but for /tmp."""
        state = cpu.compose("exec", service, "cat", "/proc/1/status").stdout
        values = dict(line.split(":\t", 1) for line in state.splitlines() if ":\t" in line)
        assert values["Uid"].split() == ["10001"] * 4
        assert int(values["CapEff"], 16) == int(values["CapBnd"], 16) == 0
        assert values["NoNewPrivs"] == "1"
        assert cpu.compose("exec", service, "touch", "/opt/x", check=False).returncode != 0
        cpu.compose("exec", service, "touch", "/tmp/x")
        written = run("docker", "diff", cpu.container(service)).stdout.split("\n")
        assert [line for line in written if line.startswith("A")] == ["A /usr/sbin/docker-init"]

    def test_the_verifier_cannot_write_the_gallery(self, cpu: Product):
        """Its mount is read-only, and it has verified what was added since it started."""
        done = cpu.compose("exec", "m3", "touch", "/data/gallery/x", check=False)
        assert "Read-only file system" in done.stderr

    def test_only_the_gateway_is_published(self, cpu: Product):
        """No other port is open to the host, and that one on loopback alone."""
        ports = cpu.compose("ps", "--format", "{{.Service}} {{.Publishers}}").stdout
        published = [line for line in ports.splitlines() if f"{cpu.port}" in line]
        assert [line.split()[0] for line in published] == ["gateway"]
        assert "0.0.0.0" not in ports


class TestFailure:
    """What goes wrong in a season."""

    @pytest.mark.smoke
    @pytest.mark.parametrize("service", ["m1", "m3", "gateway"])
    def test_a_killed_process_comes_back(self, cpu: Product, service: str):
        """kill -9 inside a container: it is started again, and matches are right and verified as before."""
        cpu.add(0)
        cpu.compose("exec", service, "sh", "-c", KILL, check=False)
        cpu.wait_for("verified again", cpu.is_verified)

    @pytest.mark.parametrize("service", ["m3", "m1", "gateway"])
    def test_a_killed_container_keeps_nobody_waiting(self, cpu: Product, service: str):
        """A container is killed during a match: who asks next is answered in time; started again, all is well."""
        busy = threading.Thread(target=cpu.is_verified)
        busy.start()
        time.sleep(0.4)
        cpu.compose("kill", service)
        try:
            if service != "gateway":
                assert max(durations(cpu, 3)) < LONGEST_S
            busy.join()
        finally:
            cpu.up()
        cpu.wait_for("verified again", cpu.is_verified)

    @pytest.mark.parametrize("service", ["m3", "m1"])
    def test_a_silent_container_keeps_nobody_waiting(self, cpu: Product, service: str):
        """A cable is pulled: matches are answered in time, and right again once it is back."""
        network = f"{cpu.name}_default"
        assert cpu.is_verified()
        run("docker", "network", "disconnect", network, cpu.container(service))
        try:
            assert max(durations(cpu, 3)) < LONGEST_S
        finally:
            run("docker", "network", "connect", "--alias", service, network, cpu.container(service))
        cpu.wait_for("verified again", cpu.is_verified)

    def test_down_and_up_keep_everything(self, cpu: Product):
        """Containers are made anew, volumes stay."""
        images = cpu.ask("GET", "/index/images").json()
        cpu.down()
        cpu.up()
        assert cpu.ask("GET", "/index/images").json() == images
        assert shown(cpu.match(2)) == "place-2"


class TestOperation:
    """The commands of docs/deployment.md and docs/operations.md, to the letter."""

    def test_backup_and_restore(self, cpu: Product, writable: Path):
        """A backup made while everything runs is whole, and the gallery that is restored from it answers."""
        backup = "python -m scripts.backup_gallery --gallery /data/gallery --output /backups/monday".split()
        cpu.compose("run", "--rm", "--volume", f"{writable}:/backups", "m1", *backup)
        assert "OK" in run("sha256sum", "--check", "SHA256SUMS", cwd=writable / "monday").stdout
        before = cpu.ask("GET", "/index/images").json()

        cpu.down()
        run("docker", "volume", "rm", f"{cpu.name}_gallery-cpu")
        restore = "python -m scripts.backup_gallery --restore /backups/monday --gallery /data/gallery".split()
        cpu.compose("run", "--rm", "--no-deps", "--volume", f"{writable}:/backups:ro", "m1", *restore)
        cpu.up()
        assert cpu.ask("GET", "/index/images").json() == before
        assert shown(cpu.match(2)) == "place-2"

    def test_a_gallery_is_filled_beside_the_running_product(self, cpu: Product, writable: Path):
        """build_database in a second container: what it adds is found at once."""
        photos = writable / "photos" / "place-3"
        photos.mkdir(parents=True)
        (photos / "3.jpg").write_bytes(MADE[3])
        build = (
            "python -m scripts.build_database --image-dir /photos --output-dir /data/gallery --encoder embedded".split()
        )
        cpu.compose("run", "--rm", "--volume", f"{photos.parent}:/photos:ro", "m1", *build)
        assert shown(cpu.match(3)) == "place-3"

    def test_misspelt_settings_end_the_start(self, cpu: Product):
        """A name in .env that nothing reads: `up` fails, and the check says which; corrected, everything starts."""
        cpu.down()
        cpu.configure(M3_ACCEPT_TRESHOLD="0.99", PUBLIC_ADRESS="0.0.0.0")
        refused = cpu.compose("up", "--detach", "--wait", "--no-build", check=False)
        assert refused.returncode != 0
        assert "settings" in refused.stderr
        said = cpu.logs("settings")
        assert "M3_ACCEPT_TRESHOLD: no such setting; did you mean M3_ACCEPT_THRESHOLD?" in said
        assert "PUBLIC_ADRESS: no such setting; did you mean PUBLIC_ADDRESS?" in said
        assert "m1" not in cpu.compose("ps", "--services", "--status", "running").stdout
        cpu.configure()
        cpu.up()

    def test_opened_to_a_network_with_keys(self, cpu: Product):
        """The lines of deployment.md: visitors match without a key, curators manage with one until it is revoked."""
        keys = {"GATEWAY_KEYS_FILE": "/keys/keys.json", "GATEWAY_ANONYMOUS_ROLE": "match"}
        cpu.configure(PUBLIC_ADDRESS="0.0.0.0", **keys)
        manage = ("run", "--rm", "--no-deps", "gateway", "python", "-m", "gateway.manage_keys")
        key = cpu.compose(*manage, "create", "--name", "curator", "--role", "manage").stdout.split()[-1]
        cpu.up()
        curator: dict[str, Any] = {"headers": {"Authorization": f"Bearer {key}"}}
        assert shown(cpu.match(2)) == "place-2"
        assert cpu.ask("GET", "/index/images").status_code == 401
        assert cpu.ask("GET", "/index/images", **curator).status_code == 200
        cpu.compose(*manage, "revoke", "--name", "curator")
        assert cpu.ask("GET", "/index/images", **curator).status_code == 401
        cpu.configure()
        cpu.up()

    def test_visitors_behind_a_proxy_of_the_host_have_limits_of_their_own(self, cpu: Product):
        """A proxy on the host comes from the bridge's address; where Docker's ranges are trusted, visitors differ."""
        cpu.configure(
            GATEWAY_KEYS_FILE="/keys/keys.json", GATEWAY_ANONYMOUS_ROLE="match", GATEWAY_ANONYMOUS_RATE_PER_MINUTE="2",
            GATEWAY_TRUSTED_PROXIES="172.16.0.0/12,192.168.0.0/16",
        )  # fmt: skip
        cpu.up()
        visitors = [f"203.0.113.{number}" for number in range(5)]
        answers = [
            cpu.ask("POST", "/match", files={"file": SEEN[2]}, headers={"X-Forwarded-For": address})
            for address in visitors
        ]
        assert [answer.status_code for answer in answers] == [200] * 5
        cpu.configure()
        cpu.up()

    def test_one_container_alone(self, images: None):
        """`docker run` as documented: healthy, an address that can be opened, no capability needed."""
        run(
            *"docker run --detach --init --name sim-alone --restart unless-stopped".split(),
            *"--publish 127.0.0.1:8018:8000 --env GATEWAY_PUBLISHED_ON=127.0.0.1".split(),
            *"--volume sim-alone:/data/gallery semantic-image-matcher-cpu".split(),
        )  # fmt: skip
        try:
            end = time.monotonic() + 120
            while "is ready: http://127.0.0.1:8000" not in run("docker", "logs", "sim-alone").stdout:
                assert time.monotonic() < end, run("docker", "logs", "sim-alone").stderr
                time.sleep(1)
            assert httpx.get("http://127.0.0.1:8018/health/ready").status_code == 200
        finally:
            run("docker", "rm", "--force", "sim-alone")
            run("docker", "volume", "rm", "sim-alone")


def durations(product: Product, matches: int) -> list[float]:
    """How long so many matches in a row take, whatever they answer; none is waited for longer than 20 s."""
    taken = []
    for _ in range(matches):
        begun = time.monotonic()
        product.ask("POST", "/match", files={"file": SEEN[0]}, timeout=20)
        taken.append(time.monotonic() - begun)
    return taken
