"""Measures the product under four times the load that it can serve, with real models in real processes.

    python -m benchmarks.load [--processes one|three|both] [--seconds 30]

Photos are those of scikit-image. Arrivals are a Poisson process that does not wait for answers (an open loop). First
the rate rises until many matches are refused; the last rate with hardly any refusal is sustainable. Then three phases
alternate: matches one at a time (unloaded), the rate with the best throughput, and four times the sustainable rate (or
four times the best rate, if none was sustainable). A run takes seven minutes per kind. Nothing else may run on the
machine, or the phases cannot be compared.
The exit status is 1 if the 99th percentile of accepted matches is above 3 times its unloaded value, or the throughput
is below 0.9 of the peak.
"""

import argparse
import asyncio
import io
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import skimage
from httpx_aiohttp import AiohttpTransport
from PIL import Image

from benchmarks.processes import running_product

LATENCY_BAR, THROUGHPUT_BAR = 3.0, 0.9
OVERLOAD = 4.0
ROUNDS = 3
SOME, MANY = 0.05, 0.5  # refused shares: a rate is sustainable up to the first, and the peak is reached from the second
_KNOWN = ("chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png", "hubble_deep_field.jpg", "retina.jpg")
_UNKNOWN = ("astronaut.png", "brick.png", "moon.png")
_BOUNDARY = "load"


@dataclass(slots=True)
class Outcomes:
    """Results of one phase; times in seconds.

    Attributes:
        accepted: times of answered matches.
        refused: times of refusals (503 with Retry-After).
        failed: number of other answers by status.
        unverified: number of answers without verification.
        in_time: number of verified answers during the phase.
        seconds: length of the phase.
    """

    seconds: float = 0.0
    accepted: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    unverified: int = 0
    in_time: int = 0

    def add(self, other: "Outcomes") -> None:
        """Add another part of the same phase."""
        self.seconds += other.seconds
        self.accepted += other.accepted
        self.refused += other.refused
        self.failed += other.failed
        self.unverified += other.unverified
        self.in_time += other.in_time

    @property
    def throughput(self) -> float:
        """Verified answers per second."""
        return self.in_time / self.seconds

    @property
    def refused_share(self) -> float:
        """Refused share of all matches."""
        return len(self.refused) / max(1, len(self.refused) + len(self.accepted) + len(self.failed))

    def __str__(self) -> str:
        text = f"{self.throughput:5.2f} answers/s  accepted {_percentiles(self.accepted)}"
        text += f"  refused {self.refused_share:4.0%}" + (f" {_percentiles(self.refused)}" if self.refused else "")
        text += f"  unverified {self.unverified}" if self.unverified else ""
        return text + (f"  FAILED {self.failed}" if self.failed else "")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; return 0 if both bars are met, else 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", choices=["one", "three", "both"], default="both")
    parser.add_argument("--seconds", type=float, default=30, help="of each phase")
    options = parser.parse_args(arguments)
    kept = []
    for kind in ("one", "three") if options.processes == "both" else (options.processes,):
        with tempfile.TemporaryDirectory() as folder:
            kept.append(asyncio.run(_measure(kind, Path(folder), options.seconds)))
    return 0 if all(kept) else 1


async def _measure(kind: str, folder: Path, seconds: float) -> bool:
    print(
        f"== {kind} process{'es' if kind == 'three' else ''}, {os.cpu_count()} processors, load average before", end=" "
    )
    print("{:.1f} {:.1f} {:.1f}".format(*os.getloadavg()), flush=True)
    rng = np.random.default_rng(4)
    async with product(kind, folder) as http:
        photos = await _fill(http, rng)
        await one_at_a_time(http, photos)  # to warm up
        cpu, began = time.process_time(), time.perf_counter()
        alone = await one_at_a_time(http, photos)
        sustainable, top, best, rate = 0.0, 0.0, 0.0, 0.7 * alone.throughput
        while True:
            phase = await poisson(http, photos, rate, seconds, rng)
            print(f"{rate:5.2f}/s               {phase}", flush=True)
            if phase.throughput > best:
                best, top = phase.throughput, rate
            if phase.refused_share <= SOME:
                sustainable = rate
            elif phase.refused_share > MANY:
                break
            rate *= 1.4
        flood = OVERLOAD * (sustainable or top)
        unloaded, peak, overload = Outcomes(), Outcomes(), Outcomes()
        for _ in range(ROUNDS):
            unloaded.add(await one_at_a_time(http, photos))
            peak.add(await poisson(http, photos, top, seconds, rng))
            overload.add(await poisson(http, photos, flood, seconds, rng))
        share = (time.process_time() - cpu) / (time.perf_counter() - began)
    print(f"unloaded              {unloaded}")
    print(f"{top:5.2f}/s = peak         {peak}")
    print(f"{flood:5.2f}/s = {OVERLOAD:g} x          {overload}")
    slower = float(np.percentile(overload.accepted, 99) / np.percentile(unloaded.accepted, 99))
    busier = overload.throughput / peak.throughput
    print(f"sustainable {sustainable:.2f}/s; this generator used {share:.1%} of one processor")
    print("load average after {:.1f} {:.1f} {:.1f}".format(*os.getloadavg()))
    kept = _hold("p99 of accepted / unloaded", slower, slower <= LATENCY_BAR, f"<= {LATENCY_BAR:g}")
    kept &= _hold("throughput / peak", busier, busier >= THROUGHPUT_BAR, f">= {THROUGHPUT_BAR:g}")
    return _hold("neither answered nor refused", len(overload.failed), not overload.failed, "none") and kept


def _hold(figure: str, value: float, kept: bool, bar: str) -> bool:
    print(f"{figure:28} {value:6.2f}  (bar: {bar})  {'kept' if kept else 'MISSED'}", flush=True)
    return kept


async def one_at_a_time(http: httpx.AsyncClient, photos: Sequence[bytes]) -> Outcomes:
    """Match photos one after another."""
    outcomes = Outcomes()
    began = time.perf_counter()
    for photo in photos:
        await _match(http, photo, outcomes, float("inf"))
    outcomes.seconds = time.perf_counter() - began
    return outcomes


async def poisson(
    http: httpx.AsyncClient, photos: Sequence[bytes], rate: float, seconds: float, rng: np.random.Generator
) -> Outcomes:
    """Match photos that arrive at random, ``rate`` per second on average, without waiting for earlier answers."""
    outcomes = Outcomes(seconds)
    arrivals = np.cumsum(rng.exponential(1 / rate, size=int(2 * rate * seconds) + 20))
    began = time.perf_counter()
    asked = set()
    for number, arrival in enumerate(arrivals[arrivals < seconds]):
        await asyncio.sleep(began + arrival - time.perf_counter())
        asking = _match(http, photos[number % len(photos)], outcomes, began + seconds)
        asked.add(asyncio.create_task(asking))
    await asyncio.gather(*asked)
    return outcomes


async def _match(http: httpx.AsyncClient, form: bytes, outcomes: Outcomes, until: float) -> None:
    began = time.perf_counter()
    headers = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
    answer = await http.post("/match", content=form, headers=headers)
    ended = time.perf_counter()
    if answer.status_code == 503 and "retry-after" in answer.headers:
        outcomes.refused.append(ended - began)
    elif answer.status_code != 200:
        outcomes.failed.append(answer.status_code)
    else:
        outcomes.accepted.append(ended - began)
        unverified = b'"verification":"unavailable"' in answer.content
        outcomes.unverified += unverified
        outcomes.in_time += ended <= until and not unverified


@asynccontextmanager
async def product(kind: str, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Start the product as ``one`` process or ``three``, and stop it at the end of the block."""
    with running_product(folder, kind) as running:
        async with httpx.AsyncClient(transport=AiohttpTransport(), base_url=running.address, timeout=300) as http:
            yield http


async def _fill(http: httpx.AsyncClient, rng: np.random.Generator) -> list[bytes]:
    """Add the known photographs as places; return forms with other views of them, and of unknown photographs."""
    for name in _KNOWN:
        files = {"file": (name, _jpeg(_photograph(name)))}
        (await http.post("/index/images", files=files, data={"place_id": name})).raise_for_status()
    views = [_see_again(_photograph(name), rng) for name in (*_KNOWN, *_UNKNOWN)]
    rng.shuffle(views)
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="q.jpg"\r\n\r\n'.encode()
    return [head + _jpeg(view) + f"\r\n--{_BOUNDARY}--\r\n".encode() for view in views]


def _photograph(name: str) -> Image.Image:
    return Image.open(Path(skimage.__file__).parent / "data" / name).convert("RGB").resize((1024, 768))


def _see_again(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Crop and rotate an image a little."""
    left, top = rng.integers(0, 120, size=2)
    return image.rotate(rng.uniform(-8, 8)).crop((60 + left, 60 + top, 840 + left, 640 + top))


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _percentiles(seconds: Sequence[float]) -> str:
    if not seconds:
        return "none"
    middle, late = np.percentile(seconds, [50, 99])
    return f"p50 {middle:.3f} s p99 {late:.3f} s (n={len(seconds)})"


if __name__ == "__main__":
    sys.exit(main())
