"""Times ``POST /match`` over three processes: gateway, retrieval with a DINO, verifier with a Qwen-VL.

    python -m benchmarks.match ENCODER_FOLDER VERIFIER_FOLDER

The folders hold models of any size. With random weights, answers are meaningless and times are those of real weights.
"""

import argparse
import asyncio
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from httpx_aiohttp import AiohttpTransport

from benchmarks.processes import free_port
from benchmarks.visitor_photos import Spread, draw_jpegs

CLIENTS = 16
CANDIDATES = (5, 9)
_START_TIMEOUT_S = 400.0


@dataclass(frozen=True, slots=True)
class MatchTimes:
    """Times of ``POST /match`` at the client, with photos of nine shapes, some of 12 megapixels.

    Attributes:
        cold: new photos, with gallery photos that the verifier has not cached.
        warm: new photos with cached gallery photos, by the number of candidates.
        explained: the same with ``explain``, with the fewest candidates.
        per_second: matches completed per second with 16 clients.
        stages: milliseconds of wall time by stage, medians over the warm matches with the fewest candidates.
        device: milliseconds for which the device of each service worked in one of these, means; empty without counts.
        refused: number of answers other than 200.
    """

    cold: Spread
    warm: Mapping[int, Spread]
    explained: Spread
    per_second: float
    stages: Mapping[str, float]
    device: Mapping[str, float]
    refused: int

    def __str__(self) -> str:
        stages = ", ".join(f"{name} {ms:.1f}" for name, ms in self.stages.items())
        device = ", ".join(f"{name} {ms:.1f}" for name, ms in self.device.items())
        return "\n".join(
            [
                "POST /match",
                f"  gallery not seen before   {self.cold}",
                *(f"  {count} candidates              {spread}" for count, spread in self.warm.items()),
                f"  {min(self.warm)} candidates, explained   {self.explained}",
                f"  {CLIENTS} clients: {self.per_second:.2f} matches/s; {self.refused} refused",
                f"  stages, wall ms: {stages}",
                f"  devices, ms for a match: {device}",
            ]
        )


def measure_match(
    encoder_folder: Path, verifier_folder: Path, *, gallery: int, queries: int, tokens: int
) -> MatchTimes:
    """Start the three processes, fill a gallery and match photos.

    Args:
        encoder_folder: with a DINO.
        verifier_folder: with a Qwen-VL.
        gallery: photos in it.
        queries: photos of every measurement, one after another, and again as many by all clients together.
        tokens: visual tokens per photo.
    """
    with (
        tempfile.TemporaryDirectory() as name,
        _three_processes(Path(name), encoder_folder, verifier_folder, tokens) as addresses,
    ):
        return asyncio.run(_ask(addresses, gallery, queries))


async def _ask(addresses: Mapping[str, str], gallery: int, queries: int) -> MatchTimes:
    photos = draw_jpegs(gallery + (len(CANDIDATES) + 3) * queries)
    references, rest = photos[:gallery], photos[gallery:]
    sets = [rest[start : start + queries] for start in range(0, len(rest), queries)]
    refused = 0
    stages: list[Mapping[str, float]] = []

    async with httpx.AsyncClient(base_url=addresses["gateway"], timeout=600, transport=AiohttpTransport()) as client:

        async def match(photo: bytes, top_k: int = CANDIDATES[0], *, explain: bool = False) -> float:
            nonlocal refused
            start = time.perf_counter()
            form = {"top_k": top_k, "explain": explain}
            reply = await client.post("/match", files={"file": photo}, data=form)
            taken = (time.perf_counter() - start) * 1000
            refused += reply.status_code != 200
            if reply.status_code == 200:
                stages.append(reply.json()["timings_ms"])
            return taken

        for number, photo in enumerate(references):
            reply = await client.post("/index/images", files={"file": photo}, data={"place_name": f"place {number}"})
            reply.raise_for_status()
        cold = [await match(photo) for photo in sets[0]]
        # By now every gallery photo that becomes a candidate is cached.
        stages.clear()
        before = await _device_seconds(addresses)
        warm = {CANDIDATES[0]: [await match(photo) for photo in sets[1]]}
        after = await _device_seconds(addresses)
        medians = {
            name: statistics.median([timings.get(name, 0.0) for timings in stages]) for name in (stages or [{}])[0]
        }
        for top_k, more in zip(CANDIDATES[1:], sets[2:], strict=False):
            warm[top_k] = [await match(photo, top_k) for photo in more]
        explained = [await match(photo, explain=True) for photo in sets[-2]]
        waiting = iter(sets[-1])

        async def visit() -> None:
            for photo in waiting:
                await match(photo)

        start = time.perf_counter()
        await asyncio.gather(*(visit() for _ in range(CLIENTS)))
        seconds = time.perf_counter() - start
    return MatchTimes(
        cold=Spread.of(cold),
        warm={top_k: Spread.of(times) for top_k, times in warm.items()},
        explained=Spread.of(explained),
        per_second=queries / seconds,
        stages=medians,
        device={name: 1000 * (after[name] - used) / queries for name, used in before.items()},
        refused=refused,
    )


async def _device_seconds(addresses: Mapping[str, str]) -> dict[str, float]:
    """Read for how long the device of each service has worked."""
    seconds = {}
    async with httpx.AsyncClient(timeout=60) as client:
        for name in ("retrieval", "verifier"):
            text = (await client.get(f"{addresses[name]}/metrics")).text
            found = re.search(r"^matcher_device_seconds_total\{.*\} (\S+)$", text, re.MULTILINE)
            if found is not None:
                seconds[name] = float(found[1])
    return seconds


@contextmanager
def _three_processes(folder: Path, encoder: Path, verifier: Path, tokens: int) -> Iterator[dict[str, str]]:
    """Run the product on free ports of this machine; yield the addresses of its processes."""
    gateway, retrieval, verification = (free_port() for _ in range(3))
    options = f'{{"query_tokens": {tokens}, "candidate_tokens": {tokens}}}'
    settings = {
        "M1_PORT": retrieval, "M1_DATA_DIR": folder / "gallery", "M1_ENCODER": "dinov3", "M1_MODEL": encoder,
        "M3_PORT": verification, "M3_DATA_DIR": folder / "gallery", "M3_VERIFIER": "qwen3-vl", "M3_MODEL": verifier,
        "M3_VERIFIER_OPTIONS": options,
        "GATEWAY_PORT": gateway, "GATEWAY_VERIFIER_TIMEOUT_S": 600, "GATEWAY_LONGEST_MATCH_S": 600,
        "GATEWAY_REQUIRE_VERIFICATION": True,
        "GATEWAY_RETRIEVAL_URL": f"http://127.0.0.1:{retrieval}",
        "GATEWAY_VERIFIER_URL": f"http://127.0.0.1:{verification}",
    }  # fmt: skip
    environment = os.environ | {name: str(value) for name, value in settings.items()}
    running: list[subprocess.Popen[bytes]] = []
    try:
        for module in ("services.retrieval", "services.verifier", "gateway"):
            with (folder / f"{module}.log").open("wb") as log:
                command = [sys.executable, "-m", module]
                running.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
        ports = {"gateway": gateway, "retrieval": retrieval, "verifier": verification}
        addresses = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        _wait_until_ready(addresses["gateway"], running, folder)
        yield addresses
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()


def _wait_until_ready(url: str, running: Sequence[subprocess.Popen[bytes]], logs: Path) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline and all(process.poll() is None for process in running):
        try:
            if httpx.get(f"{url}/health/ready", timeout=30).status_code == 200:
                return
        except httpx.TransportError:
            pass  # not listening yet
        time.sleep(0.5)
    tails = "".join(
        f"\n--- {log.name}\n{log.read_text(errors='replace')[-1500:]}" for log in sorted(logs.glob("*.log"))
    )
    raise SystemExit(f"the three processes did not become ready{tails}")


def main(argv: Sequence[str] | None = None) -> int:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("encoder", type=Path, help="folder with a DINO")
    parser.add_argument("verifier", type=Path, help="folder with a Qwen-VL")
    parser.add_argument("--gallery", type=int, default=32, help="photos in the gallery")
    parser.add_argument("--queries", type=int, default=40, help="photos asked")
    parser.add_argument("--tokens", type=int, default=256, help="visual tokens per photo")
    arguments = parser.parse_args(argv)
    print(measure_match(
        arguments.encoder, arguments.verifier,
        gallery=arguments.gallery, queries=arguments.queries, tokens=arguments.tokens,
    ))  # fmt: skip
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
