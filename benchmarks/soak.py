"""Runs the product as three processes under mixed traffic and says whether it stays as it was.

    python -m benchmarks.soak --minutes 20

Visitors match photographs that are in the gallery and some that are not; operators add photos and ZIPs, edit, delete
and list; strangers upload rubbish and hang up. The gallery is held near ``--images``. Over the second half, lines are
fitted to the memory, open files and threads of each process: none may grow faster than the limits below, and no answer
may be a server error. 503 (too busy) and 504 (too late) are counted apart: they are what an overloaded machine has to
answer. Needs /proc, and scikit-image's pictures.
"""

import argparse
import io
import random
import socket
import statistics
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Lock
from urllib.parse import urlsplit

import httpx
import numpy as np
from PIL import Image
from skimage import data as skimage_data

from benchmarks.processes import Sample, running_product

KNOWN = ("astronaut.png", "brick.png", "chelsea.png", "coffee.png", "gravel.png", "motorcycle_left.png", "rocket.jpg")
UNKNOWN = ("hubble_deep_field.jpg", "ihc.png", "retina.jpg")

MB_PER_HOUR = 60.0
"""One leaked photo (4 MB decoded) in a few hundred requests would exceed it; what is below is the allocator's noise."""
FILES_PER_HOUR = 60.0
THREADS_PER_HOUR = 60.0

HUNG_UP = "hung up"


class Photographs:
    """JPEGs of scikit-image's photographs, each a view of its own."""

    def __init__(self) -> None:
        folder = Path(skimage_data.__file__).parent
        self._pictures = {name: Image.open(folder / name).convert("RGB") for name in KNOWN + UNKNOWN}

    def view(self, names: Sequence[str], choose: random.Random) -> bytes:
        """Photograph one of them from a slightly different spot."""
        picture = self._pictures[choose.choice(names)]
        width, height = picture.size
        left, top = (choose.uniform(0, 0.15) for _ in range(2))
        right, bottom = (choose.uniform(0.85, 1) for _ in range(2))
        box = (int(left * width), int(top * height), int(right * width), int(bottom * height))
        seen = picture.crop(box).rotate(choose.uniform(-5, 5), Image.Resampling.BILINEAR, expand=True)
        out = io.BytesIO()
        seen.save(out, "JPEG", quality=choose.randint(80, 95))
        return out.getvalue()


class Traffic:
    """What callers do. One object for all threads; counts every answer by action and status."""

    def __init__(self, address: str, images: int, photographs: Photographs) -> None:
        self.answers: Counter[tuple[str, str]] = Counter()
        self._address = address
        self._images = images
        self._photographs = photographs
        self._ids = list[str]()
        self._lock = Lock()

    def fill(self) -> None:
        """Put the first photos into the gallery, which nobody can match with before."""
        with httpx.Client(base_url=self._address, timeout=120, trust_env=False) as client:
            for seed in range(10):
                self._add_one(client, random.Random(f"first {seed}"))

    def run(self, seed: int, until_s: float) -> None:
        """Do one thing after the other until it is time to stop."""
        choose = random.Random(seed)
        actions: dict[Callable[[httpx.Client, random.Random], httpx.Response | None], int] = {
            self._match_known: 6,
            self._match_unknown: 3,
            self._add_one: 3,
            self._add_zip: 1,
            self._edit: 3,
            self._delete: 5,
            self._list: 3,
            self._preview: 4,
            self._upload_rubbish: 2,
            self._hang_up: 2,
        }
        with httpx.Client(base_url=self._address, timeout=120, trust_env=False) as client:
            while time.monotonic() < until_s:
                action = choose.choices(list(actions), list(actions.values()))[0]
                try:
                    reply = action(client, choose)
                except httpx.TransportError as error:
                    self._count(action.__name__, type(error).__name__)
                else:
                    if reply is not None:
                        self._count(action.__name__, str(reply.status_code))

    def _count(self, action: str, outcome: str) -> None:
        with self._lock:
            self.answers[action.strip("_"), outcome] += 1

    def _any_id(self, choose: random.Random) -> str | None:
        with self._lock:
            return choose.choice(self._ids) if self._ids else None

    def _match_known(self, client: httpx.Client, choose: random.Random) -> httpx.Response:
        photo = self._photographs.view(KNOWN, choose)
        fields = {"explain": "true"} if choose.random() < 0.2 else {}
        return client.post("/match", files={"file": ("query.jpg", photo)}, data=fields)

    def _match_unknown(self, client: httpx.Client, choose: random.Random) -> httpx.Response:
        return client.post("/match", files={"file": ("query.jpg", self._photographs.view(UNKNOWN, choose))})

    def _add_one(self, client: httpx.Client, choose: random.Random) -> httpx.Response:
        files = {"file": ("photo.jpg", self._photographs.view(KNOWN, choose))}
        return self._added(client.post("/index/images", files=files, data={"place_name": f"Place {choose.random()}"}))

    def _add_zip(self, client: httpx.Client, choose: random.Random) -> httpx.Response:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as entries:
            for number in range(3):
                entries.writestr(f"place-{number}/{number}.jpg", self._photographs.view(KNOWN, choose))
        return self._added(client.post("/index/images", files={"file": ("photos.zip", archive.getvalue())}))

    def _added(self, reply: httpx.Response) -> httpx.Response:
        if reply.status_code == 200:
            with self._lock:
                self._ids += [each["image"]["id"] for each in reply.json()["results"] if each["status"] == "added"]
        return reply

    def _edit(self, client: httpx.Client, choose: random.Random) -> httpx.Response | None:
        image_id = self._any_id(choose)
        change = {"description": "x" * choose.randint(1, 5000), "metadata": {"edit": choose.random()}}
        return None if image_id is None else client.patch(f"/index/images/{image_id}", json=change)

    def _delete(self, client: httpx.Client, choose: random.Random) -> httpx.Response | None:
        with self._lock:
            if len(self._ids) <= self._images:
                return None
            image_id = self._ids.pop(choose.randrange(len(self._ids)))
        return client.delete(f"/index/images/{image_id}")

    def _list(self, client: httpx.Client, choose: random.Random) -> httpx.Response:
        path = choose.choice(["/index/images?limit=100", "/index/places?q=Place", "/index/collections", "/metrics"])
        return client.get(path)

    def _preview(self, client: httpx.Client, choose: random.Random) -> httpx.Response | None:
        image_id = self._any_id(choose)
        what = choose.choice(["preview", "file"])
        return None if image_id is None else client.get(f"/index/images/{image_id}/{what}")

    def _upload_rubbish(self, client: httpx.Client, choose: random.Random) -> httpx.Response:
        photo = bytearray(self._photographs.view(KNOWN, choose))
        for _ in range(50):
            photo[choose.randrange(len(photo))] = choose.randrange(256)
        rubbish = choose.choice([choose.randbytes(1000), b"", bytes(photo[: len(photo) // 2]), bytes(photo)])
        files = {"file": ("rubbish.jpg", rubbish)}
        if choose.random() < 0.5:
            return client.post("/match", files=files)
        return self._added(client.post("/index/images", files=files))

    def _hang_up(self, _: httpx.Client, choose: random.Random) -> None:
        address = urlsplit(self._address)
        photo = self._photographs.view(KNOWN, choose)
        body = (
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="q.jpg"\r\n\r\n' + photo + b"\r\n--x--\r\n"
        )
        head = f"POST /match HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: {len(body)}\r\n"
        head += "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
        with socket.create_connection((address.hostname or "", address.port or 80), timeout=60) as connection:
            connection.sendall(head.encode() + body[: choose.choice([0, len(body) // 2, len(body)])])
            # Some are gone before the answer is begun, some while it is being made.
            connection.settimeout(choose.uniform(0.01, 0.5))
            with suppress(TimeoutError):
                connection.recv(1)
        self._count("hang_up", HUNG_UP)


def main(argv: Sequence[str] | None = None) -> int:
    """Run, print the figures, and return 1 where they are not flat."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--callers", type=int, default=4)
    parser.add_argument("--images", type=int, default=60, help="how large the gallery may become")
    parser.add_argument("--first-port", type=int, default=8140, help="of three")
    parser.add_argument("--every", type=float, default=5, help="seconds between two samples")
    parser.add_argument("--output", type=Path, help="file for the samples, CSV")
    options = parser.parse_args(argv)

    with tempfile.TemporaryDirectory() as folder, running_product(Path(folder), options.first_port) as product:
        traffic = Traffic(product.address, options.images, Photographs())
        traffic.fill()
        started_s = time.monotonic()
        until_s = started_s + 60 * options.minutes
        samples: list[Sample] = []
        with ThreadPoolExecutor(options.callers) as pool:
            callers = [pool.submit(traffic.run, seed, until_s) for seed in range(options.callers)]
            while time.monotonic() < until_s and not any(caller.done() for caller in callers):
                samples += product.sample(time.monotonic() - started_s)
                time.sleep(options.every)
            for caller in callers:
                caller.result()
        tracebacks = product.log.read_text().count("Traceback")
    if options.output is not None:
        rows = [f"{each.at_s:.1f},{each.process},{each.rss_mb:.2f},{each.files},{each.threads}" for each in samples]
        options.output.write_text("\n".join(["at_s,process,rss_mb,files,threads", *rows]) + "\n")
    return _report(samples, traffic.answers, tracebacks)


def _report(samples: Sequence[Sample], answers: Counter[tuple[str, str]], tracebacks: int) -> int:
    failures = list[str]()
    print(f"{'':12} {'RSS MB: start':>14} {'middle':>8} {'end':>8} {'MB/h':>8} {'files/h':>8} {'threads/h':>10}")
    for process in sorted({each.process for each in samples}):
        own = [each for each in samples if each.process == process]
        half = own[len(own) // 2 :]
        memory = _slope_per_hour(_least_of_each_minute(half), lambda each: each.rss_mb)
        files, threads = (
            _slope_per_hour(half, lambda each, name=name: float(getattr(each, name)))  # type: ignore[misc]
            for name in ("files", "threads")
        )
        tenth = max(1, len(own) // 10)
        start, middle, end = (
            statistics.median(each.rss_mb for each in part) for part in (own[:tenth], half[:tenth], own[-tenth:])
        )
        print(f"{process:12} {start:14.1f} {middle:8.1f} {end:8.1f} {memory:+8.1f} {files:+8.1f} {threads:+10.1f}")
        if memory > MB_PER_HOUR or files > FILES_PER_HOUR or threads > THREADS_PER_HOUR:
            failures.append(f"{process} is not flat")
    for (action, outcome), count in sorted(answers.items()):
        print(f"{action:16} {outcome:>16} {count:8}")
    outcomes = Counter[str]()
    for (_, outcome), count in answers.items():
        outcomes[outcome] += count
    refused, late, hung_up = (outcomes.pop(outcome, 0) for outcome in ("503", "504", HUNG_UP))
    errors = sum(count for outcome, count in outcomes.items() if not outcome.startswith(("2", "4")))
    print(
        f"{answers.total()} requests, {refused} refused with 503, {late} too late (504), {hung_up} hung up, "
        f"{errors} errors, {tracebacks} tracebacks in the log"
    )
    if errors or tracebacks:
        failures.append("there were errors")
    print("; ".join(failures) or "flat")
    return 1 if failures else 0


def _least_of_each_minute(samples: Sequence[Sample]) -> list[Sample]:
    """What is held: the services give free memory back every half minute, and photos at work come and go between."""
    minutes = {int(each.at_s // 60) for each in samples}
    return [
        min((each for each in samples if each.at_s // 60 == minute), key=lambda each: each.rss_mb)
        for minute in sorted(minutes)
    ]


def _slope_per_hour(samples: Sequence[Sample], value: Callable[[Sample], float]) -> float:
    hours = np.array([each.at_s / 3600 for each in samples])
    return float(np.polyfit(hours, [value(each) for each in samples], 1)[0])


if __name__ == "__main__":
    sys.exit(main())
