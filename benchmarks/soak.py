"""Runs the product as three processes under mixed traffic and says whether it stays as it was.

    python -m benchmarks.soak --minutes 20

Traffic is that of ``benchmarks.mixed_traffic``, with the gallery held near ``--images``. A warm-up comes first, in
which caches fill and networks prepare themselves for the shapes of photos. Then stints of traffic, and after each a
rest in which nobody asks anything: the services hand free memory back every half minute, so what a process has then
is what it keeps. Under traffic its memory comes and goes by hundreds of MB with the photos at work; no leak would show.

It is flat where, from rest to rest, the line through each process's memory, open files and threads rises by no more
than the bars below, where no process needs much more at work in the last stint than in the first, and where no answer
was a server error. 503 (too busy) and 504 (too late) are counted apart: they are what an overloaded machine has to
answer. Needs /proc, and scikit-image's pictures.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.mixed_traffic import HUNG_UP, Photographs, Traffic
from benchmarks.processes import Product, Sample, running_product

BARS_PER_HOUR = {"rss_mb": 60.0, "files": 60.0, "threads": 60.0}
"""One leaked photo (4 MB decoded), file or thread in a few hundred requests would exceed them."""
AT_WORK = 1.2
"""What a process needs at work in the last stint, of what it needed in the first."""

REST_S = 40.0


@dataclass(slots=True)
class Watched:
    """What was seen of the processes.

    Attributes:
        stints: every sample of each stint of traffic, the warm-up left out.
        rests: one sample of each process for the rest before the first stint, and for the one after each: the least
            of everything that was seen in it.
    """

    stints: list[list[Sample]] = field(default_factory=list)
    rests: list[Sample] = field(default_factory=list)


def main(argv: Sequence[str] | None = None) -> int:
    """Run, print the figures, and return 1 where they are not flat."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20, help="of traffic that is measured")
    parser.add_argument("--warm-up", type=float, default=8, help="minutes of traffic before")
    parser.add_argument("--stints", type=int, default=5, help="into which the minutes are cut")
    parser.add_argument("--callers", type=int, default=4)
    parser.add_argument("--images", type=int, default=60, help="how large the gallery may become")
    parser.add_argument("--first-port", type=int, default=8140, help="of three")
    parser.add_argument("--output", type=Path, help="file for the samples, CSV")
    options = parser.parse_args(argv)

    with tempfile.TemporaryDirectory() as folder, running_product(Path(folder), options.first_port) as product:
        traffic = Traffic(product.address, options.images, Photographs())
        traffic.fill()
        watched, started_s = Watched(), time.monotonic()
        for number in range(options.stints + 1):
            seconds = 60 * (options.minutes / options.stints if number else options.warm_up)
            stint = _work(product, traffic, options.callers, number, seconds, started_s)
            if number:
                watched.stints.append(stint)
            rest = _watch(product, time.monotonic() + REST_S, started_s)
            watched.rests += least(rest)
            print(f"{time.monotonic() - started_s:6.0f} s, at rest: {_described(least(rest))}", flush=True)
            if options.output is not None:
                _append(options.output, stint + rest)
        tracebacks = product.log.read_text().count("Traceback")
    _print_answers(traffic.answers, tracebacks)
    failures = growth(watched) + errors(traffic.answers, tracebacks)
    print("\n".join(f"NOT FLAT: {failure}" for failure in failures) or "flat")
    return 1 if failures else 0


def least(samples: Sequence[Sample]) -> list[Sample]:
    """One sample of each process: the least memory, files and threads of all, at the last one's time."""
    return [
        Sample(
            own[-1].at_s,
            process,
            min(each.rss_mb for each in own),
            min(each.files for each in own),
            min(each.threads for each in own),
        )
        for process, own in _by_process(samples).items()
    ]


def growth(watched: Watched) -> list[str]:
    """Print how each process grew, and say which bars that exceeds."""
    failures = list[str]()
    print(f"{'':10} {'MB/h':>8} {'files/h':>8} {'threads/h':>10}   MB at work, first and last stint")
    at_work = [_by_process(watched.stints[number]) for number in (0, -1)]
    for process, rests in _by_process(watched.rests).items():
        slopes = {name: _slope_per_hour(rests, name) for name in BARS_PER_HOUR}
        first, last = (statistics.median(each.rss_mb for each in stint[process]) for stint in at_work)
        print(f"{process:10} {slopes['rss_mb']:+8.1f} {slopes['files']:+8.1f} {slopes['threads']:+10.1f}", end="   ")
        print(f"{first:.0f} {last:.0f}")
        failures += [
            f"{process}: {name} rises by {slope:.1f} an hour, more than {BARS_PER_HOUR[name]:g}"
            for name, slope in slopes.items()
            if slope > BARS_PER_HOUR[name]
        ]
        if last > AT_WORK * first:
            failures.append(f"{process}: {last:.0f} MB at work after {first:.0f}, more than {AT_WORK:g} times that")
    return failures


def errors(answers: Counter[tuple[str, str]], tracebacks: int) -> list[str]:
    """What was answered that should not have been: server errors, or nothing at all."""
    wrong = {
        f"{count} x {action} {outcome}"
        for (action, outcome), count in answers.items()
        if not outcome.startswith(("2", "4")) and outcome not in ("503", "504", HUNG_UP)
    }
    return sorted(wrong) + ([f"{tracebacks} tracebacks in the log"] if tracebacks else [])


def _work(
    product: Product, traffic: Traffic, callers: int, number: int, seconds: float, started_s: float
) -> list[Sample]:
    until_s = time.monotonic() + seconds
    with ThreadPoolExecutor(callers) as pool:
        calling = [pool.submit(traffic.run, f"{number} {caller}", until_s) for caller in range(callers)]
        samples = _watch(product, until_s, started_s)
        for caller in calling:
            caller.result()
    return samples


def _watch(product: Product, until_s: float, started_s: float) -> list[Sample]:
    samples = list[Sample]()
    while time.monotonic() < until_s:
        samples += product.sample(time.monotonic() - started_s)
        time.sleep(1)
    return samples


def _by_process(samples: Sequence[Sample]) -> dict[str, list[Sample]]:
    names = sorted({each.process for each in samples})
    return {name: [each for each in samples if each.process == name] for name in names}


def _slope_per_hour(samples: Sequence[Sample], name: str) -> float:
    hours = np.array([each.at_s / 3600 for each in samples])
    return float(np.polyfit(hours, [float(getattr(each, name)) for each in samples], 1)[0])


def _described(samples: Sequence[Sample]) -> str:
    return ", ".join(f"{each.process} {each.rss_mb:.1f} MB {each.files} {each.threads}" for each in samples)


def _append(path: Path, samples: Sequence[Sample]) -> None:
    with path.open("a") as file:
        for each in samples:
            file.write(f"{each.at_s:.1f},{each.process},{each.rss_mb:.2f},{each.files},{each.threads}\n")


def _print_answers(answers: Counter[tuple[str, str]], tracebacks: int) -> None:
    for (action, outcome), count in sorted(answers.items()):
        print(f"{action:16} {outcome:>16} {count:8}")
    print(f"{answers.total()} requests, {tracebacks} tracebacks in the log")


if __name__ == "__main__":
    sys.exit(main())
