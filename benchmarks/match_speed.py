"""How fast the one-process default answers and indexes, against its own networks run naively in the same run.

    python -m benchmarks.match_speed --eval-dir PHOTOS [--quick] [--output FIGURES] [--before FIGURES]

PHOTOS holds ``museum/``, ``scenic/`` and ``objects/``, each with a manifest.csv (see core/building/labels.py). The
product runs as ``python -m standalone`` with its default settings and is asked through its gateway: every set is
uploaded as a collection, all queries are matched one after another, then 16 clients ask together until there were 1,000
matches. In between, the naive networks (benchmarks/naive_match.py) see some of the same photos. Prints a table of
stages for every set, and every figure beside its bar; exits with 1 if one is missed. Nothing else may run on the
machine. ``--quick`` takes a few photos of every set and says little; its figures are not worth writing down.
"""

import argparse
import io
import json
import os
import random
import sys
import tempfile
import time
import zipfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
from PIL import Image

from benchmarks.bars import Bar, compare
from benchmarks.match_figures import ALL, Match, Measured, Query, cores, figures_of
from benchmarks.naive_match import PAIRS, NaiveNetworks
from benchmarks.processes import Product, running_product
from benchmarks.stage_table import print_stages
from core.building.labels import LabelledPhoto, read_folder, true_places
from core.imaging.decoding import decode_image

SETS = ("museum", "scenic", "objects")
CLIENTS = 16
# (set, figure, at least or at most, bar); those of accuracy are what README.md says.
BARS: list[Bar] = [
    ("museum", "clear / naive", "<=", 0.45),
    (ALL, "all / naive", "<=", 1.5),
    (ALL, "unknown / naive", "<=", 2.5),
    (ALL, "most of a budget", "<=", 1.1),
    (ALL, "indexing / bare", ">=", 1.8),
    (ALL, "16 clients / cores", ">=", 0.9),
    (ALL, "memory MB", "<=", 700.0),
    ("museum", "right", ">=", 1.0),
    ("scenic", "right", ">=", 147 / 158),
    ("objects", "right", ">=", 94 / 108),
    ("museum", "wrong place", "<=", 0.0),
    ("scenic", "wrong place", "<=", 2 / 158),
    ("objects", "wrong place", "<=", 0.0),
    ("museum", "false accepts", "<=", 0.0),
    ("scenic", "false accepts", "<=", 0.0),
    ("objects", "false accepts", "<=", 3 / 41),
]
BAR_BEFORE: Bar = ("museum", "CPU / before", "<=", 0.5)
"""Only with ``--before``, the figures of a run of an earlier version on the same machine."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: photos of a set, matches before memory is read, and how often the networks run naively."""

    references: int
    known: int
    unknown: int
    matches: int
    naive_every: int


FULL = Size(10_000, 10_000, 10_000, 1000, 8)
QUICK = Size(12, 4, 2, 24, 4)


def main(argv: Sequence[str] | None = None, bars: Sequence[Bar] = tuple(BARS)) -> int:
    """Measure and compare with the bars."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--eval-dir", type=Path, required=True)
    parser.add_argument("--quick", action="store_true", help="a few photos of every set, to try the program")
    parser.add_argument("--output", type=Path, help="file for the figures, JSON")
    parser.add_argument("--before", type=Path, help="figures of an earlier version, which CPU seconds are held against")
    arguments = parser.parse_args(argv)
    if not all((arguments.eval_dir / name).is_dir() for name in SETS):
        print(f"error: {arguments.eval_dir} lacks one of {', '.join(SETS)}: nothing was measured", file=sys.stderr)
        return 2
    before = json.loads(arguments.before.read_text()) if arguments.before else None
    figures = figures_of(_measure(arguments.eval_dir, QUICK if arguments.quick else FULL))
    if before is not None:
        figures["museum"]["CPU / before"] = figures["museum"]["CPU / naive"] / before["museum"]["CPU / naive"]
    if arguments.output:
        arguments.output.write_text(json.dumps(figures, indent=1) + "\n")
    print("\nfigures")
    for name, part in figures.items():
        print(f"  {name}: " + ", ".join(f"{figure} {value:.3f}" for figure, value in part.items()))
    return compare(figures, [*bars, BAR_BEFORE] if before is not None else bars)


def _measure(eval_dir: Path, size: Size) -> Measured:
    measured, naive = Measured(), NaiveNetworks()
    print(f"{cores()} cores; the naive networks take {naive.threads} threads; load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder, running_product(Path(folder), "one") as product:
        chosen = {name: _choose(eval_dir / name, size) for name in SETS}
        references = {name: photos for name, (photos, _) in chosen.items()}
        queries = {name: photos for name, (_, photos) in chosen.items()}
        described = {name: naive.describe(map(_decode, photos[:PAIRS])) for name, photos in references.items()}
        naive.match(_decode(queries[SETS[0]][0].photo), described[SETS[0]])  # to warm up
        with httpx.Client(base_url=product.address, timeout=3600, trust_env=False) as http:
            for name, photos in references.items():
                measured.bare += [naive.index(_decode(photo)) for photo in photos[:: size.naive_every]]
                added, seconds = _upload(http, name, photos)
                measured.indexed = measured.indexed[0] + added, measured.indexed[1] + seconds
            _wait_for_background_work(http)
            for name in SETS:
                _ask(http, product, name, queries[name][0])  # to warm up
                measured.matches[name] = []
                for number, query in enumerate(queries[name]):
                    measured.matches[name].append(_ask(http, product, name, query))
                    if number % size.naive_every == 0:
                        seen = _decode(query.photo)
                        measured.naive.append(naive.match(seen, described[name]))
                        measured.naive_on_one.append(naive.match(seen, described[name], threads=1))
                print_stages(name, [(match.reply, match.cpu_s) for match in measured.matches[name]])
        asked = sum(map(len, measured.matches.values()))
        measured.crowd = _ask_together(product, measured.matches, max(CLIENTS, size.matches - asked))
        measured.memory_mb, measured.most_memory_mb = product.sample(0)[0].rss_mb, product.most_mb()
    return measured


def _choose(folder: Path, size: Size) -> tuple[list[LabelledPhoto], list[Query]]:
    """Return photos of the gallery, those of the queries' places first; and queries, those of its places first."""
    references, photos = read_folder(folder, "reference"), read_folder(folder, "query")
    truths = true_places(photos, {photo.place.place_id for photo in references if photo.place is not None})
    known = [Query(photo, is_known=True) for photo in photos if photo.path in truths][: size.known]
    unknown = [Query(photo, is_known=False) for photo in photos if photo.path not in truths][: size.unknown]
    wanted = {truths[query.photo.path] for query in known}
    references.sort(key=lambda photo: photo.place is None or photo.place.place_id not in wanted)
    return references[: size.references], known + unknown


def _decode(photo: LabelledPhoto) -> Image.Image:
    return decode_image(photo.path.read_bytes()).image


def _upload(http: httpx.Client, collection: str, photos: Sequence[LabelledPhoto]) -> tuple[int, float]:
    """Add photos as one archive, one folder per place; return how many were added, and the seconds until the answer."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as entries:
        for number, photo in enumerate(photos):
            place = photo.place.place_id if photo.place is not None else f"photo-{number}"
            entries.write(photo.path, f"{place}/{number:05}{photo.path.suffix}")
    began = time.perf_counter()
    files = {"file": ("photos.zip", archive.getvalue(), "application/zip")}
    reply = http.post("/index/images", files=files, data={"collection": collection})
    seconds = time.perf_counter() - began
    added = reply.raise_for_status().json()["added"]
    print(f"{collection}: {added} photos indexed in {seconds:.1f} s", flush=True)
    return added, seconds


def _wait_for_background_work(http: httpx.Client) -> None:
    """Wait until the features of the second extractor are made, and none have been missing for a while."""
    complete_since = time.monotonic()
    while time.monotonic() - complete_since < 12:  # the service looks every 5 seconds whether some are missing
        retrieval = http.get("/health/ready").json()["parts"]["retrieval"]
        left = retrieval["details"].get("photos_without_verifier_features")
        if left is None:  # switched off
            return
        if left:
            complete_since = time.monotonic()
        time.sleep(0.5)


def _ask(http: httpx.Client, product: Product, collection: str, query: Query) -> Match:
    files = {"file": (query.photo.path.name, query.photo.path.read_bytes())}
    worked, began = product.cpu_s(), time.perf_counter()
    reply = http.post("/match", files=files, data={"collection": collection})
    seconds = time.perf_counter() - began
    return Match(query, seconds, product.cpu_s() - worked, reply.raise_for_status().json())


def _ask_together(
    product: Product, matches: Mapping[str, Sequence[Match]], count: int
) -> tuple[int, float, int, float]:
    """Let the clients ask the photos of all sets once more, mixed; see ``Measured.crowd``."""
    known = [(name, match) for name, of_set in matches.items() for match in of_set]
    random.Random(0).shuffle(known)
    asked = [known[number % len(known)] for number in range(count)]
    waiting = iter(asked)

    def visit(_: int) -> tuple[int, int]:
        answered = failed = 0
        with httpx.Client(base_url=product.address, timeout=3600, trust_env=False) as http:
            for name, match in waiting:
                photo = match.query.photo.path
                files = {"file": (photo.name, photo.read_bytes())}
                while (reply := http.post("/match", files=files, data={"collection": name})).status_code == 503:
                    time.sleep(float(reply.headers["retry-after"]))
                done = reply.status_code == 200 and reply.json()["verification"] == "done"
                answered, failed = answered + done, failed + (not done)
        return answered, failed

    worked, began = product.cpu_s(), time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as clients:
        counts = list(clients.map(visit, range(CLIENTS)))
    seconds = time.perf_counter() - began
    answered, failed = (sum(column) for column in zip(*counts, strict=True))
    print(f"\n{CLIENTS} clients: {answered} verified answers in {seconds:.1f} s, {failed} others; ", end="")
    print(f"{(product.cpu_s() - worked) / count:.2f} CPU seconds each", flush=True)
    return answered, seconds, failed, sum(match.cpu_s for _, match in asked)


if __name__ == "__main__":
    raise SystemExit(main())
