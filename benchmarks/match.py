"""Times ``POST /match`` over three processes: gateway, retrieval with a DINO, verifier with a Qwen-VL.

    python -m benchmarks.match ENCODER_FOLDER VERIFIER_FOLDER

The folders hold models of any size. With random weights, answers are meaningless and times are those of real weights.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import httpx
from httpx_aiohttp import AiohttpTransport
from PIL import Image

from benchmarks.encoder import draw_photos
from benchmarks.processes import free_port

CLIENTS = 16
TOP_K = 5
_START_TIMEOUT_S = 400.0


@dataclass(frozen=True, slots=True)
class MatchTimes:
    """Times of ``POST /match`` at the client.

    Attributes:
        cold: milliseconds, median of new photos with gallery photos that the verifier has not cached.
        p50: milliseconds, median of new photos with cached gallery photos.
        p95: milliseconds, 95th percentile of the same.
        per_second: matches completed per second with 16 clients.
        stages: milliseconds by stage, medians over the warm matches.
        refused: number of answers other than 200.
    """

    cold: float
    p50: float
    p95: float
    per_second: float
    stages: Mapping[str, float]
    refused: int

    def __str__(self) -> str:
        stages = ", ".join(f"{name} {ms:.1f}" for name, ms in self.stages.items())
        return (
            f"POST /match, top {TOP_K}: p50 {self.p50:.1f} ms, p95 {self.p95:.1f} ms (gallery not seen before: "
            f"{self.cold:.1f} ms); {CLIENTS} clients: {self.per_second:.2f} matches/s; {self.refused} refused\n"
            f"  stages: {stages}"
        )


def measure_match(
    encoder_folder: Path, verifier_folder: Path, *, gallery: int, queries: int, tokens: int
) -> MatchTimes:
    """Start the three processes, fill a gallery and match photos.

    Args:
        encoder_folder: with a DINO.
        verifier_folder: with a Qwen-VL.
        gallery: photos in it.
        queries: photos matched one after another, and again as many by all clients together.
        tokens: visual tokens per photo.
    """
    with (
        tempfile.TemporaryDirectory() as name,
        _three_processes(Path(name), encoder_folder, verifier_folder, tokens) as url,
    ):
        return asyncio.run(_ask(url, gallery, queries))


async def _ask(url: str, gallery: int, queries: int) -> MatchTimes:
    photos = [_jpeg(photo) for photo in draw_photos(gallery + 3 * queries)]
    references, rest = photos[:gallery], photos[gallery:]
    new, warm, crowd = rest[:queries], rest[queries : 2 * queries], rest[2 * queries :]
    refused = 0
    stages: list[Mapping[str, float]] = []

    async with httpx.AsyncClient(base_url=url, timeout=600, transport=AiohttpTransport()) as client:

        async def match(photo: bytes) -> float:
            nonlocal refused
            start = time.perf_counter()
            reply = await client.post("/match", files={"file": photo}, data={"top_k": TOP_K})
            taken = (time.perf_counter() - start) * 1000
            refused += reply.status_code != 200
            if reply.status_code == 200:
                stages.append(reply.json()["timings_ms"])
            return taken

        for number, photo in enumerate(references):
            reply = await client.post("/index/images", files={"file": photo}, data={"place_name": f"place {number}"})
            reply.raise_for_status()
        cold = [await match(photo) for photo in new]
        # By now every gallery photo that becomes a candidate is cached.
        stages.clear()
        one_by_one = [await match(photo) for photo in warm]
        medians = {
            stage: statistics.median([timings.get(stage, 0.0) for timings in stages]) for stage in (stages or [{}])[0]
        }
        waiting = iter(crowd)

        async def visit() -> None:
            for photo in waiting:
                await match(photo)

        start = time.perf_counter()
        await asyncio.gather(*(visit() for _ in range(CLIENTS)))
        seconds = time.perf_counter() - start
    return MatchTimes(
        cold=statistics.median(cold),
        p50=statistics.median(one_by_one),
        p95=sorted(one_by_one)[max(0, -(-len(one_by_one) * 95 // 100) - 1)],
        per_second=len(crowd) / seconds,
        stages=medians,
        refused=refused,
    )


def _jpeg(photo: Image.Image) -> bytes:
    stream = BytesIO()
    photo.save(stream, "JPEG", quality=88)
    return stream.getvalue()


@contextmanager
def _three_processes(folder: Path, encoder: Path, verifier: Path, tokens: int) -> Iterator[str]:
    """Run the product on free ports of this machine; yield the gateway's address."""
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
        url = f"http://127.0.0.1:{gateway}"
        _wait_until_ready(url, running, folder)
        yield url
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
