"""Runs the product as three processes under mixed traffic and checks that memory, files and threads do not grow.

    python -m benchmarks.soak --minutes 20

Traffic is that of ``benchmarks.mixed_traffic``, with the gallery kept near ``--images``. First comes a warm-up, in
which caches fill and networks prepare for the shapes of photos. Then come stints of traffic, each followed by a rest
without requests. The services return free memory every half minute, so at the end of a rest a process has only the
memory that it keeps. Under traffic, memory varies by hundreds of MB with the photos being processed, which would hide a
leak.

The run passes if the line through every process's memory, open files and threads at rest rises by no more than the bars
below, no process needs much more under traffic in the last stint than in the first, and no answer was a server error.
503 (too busy) and 504 (too late) are counted separately, because an overloaded machine may answer so. Needs /proc and
scikit-image's photographs.
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
"""Most growth per hour; one leaked photo (4 MB decoded), file or thread in a few hundred requests exceeds it."""
AT_WORK = 1.2
"""Bar of the memory under traffic in the last stint, relative to the first."""

REST_S = 40.0


@dataclass(slots=True)
class Watched:
    """Samples of the processes.

    Attributes:
        stints: all samples of every stint of traffic, without the warm-up.
        rests: one sample per process for the rest before the first stint and the rest after every stint: the least of
            the rest's values.
    """

    stints: list[list[Sample]] = field(default_factory=list)
    rests: list[Sample] = field(default_factory=list)


def main(argv: Sequence[str] | None = None) -> int:
    """Run and print the figures; return 1 if they grow."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20, help="of traffic that is measured")
    parser.add_argument("--warm-up", type=float, default=8, help="minutes of traffic before")
    parser.add_argument("--stints", type=int, default=5, help="into which the minutes are cut")
    parser.add_argument("--callers", type=int, default=4)
    parser.add_argument("--images", type=int, default=60, help="how large the gallery may become")
    parser.add_argument("--first-port", type=int, default=8140, help="of three")
    parser.add_argument("--output", type=Path, help="file for the samples, CSV")
    options = parser.parse_args(argv)

    ports = range(options.first_port, options.first_port + 3)
    with tempfile.TemporaryDirectory() as folder, running_product(Path(folder), ports=ports) as product:
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
    """Return one sample per process: its least memory, files and threads, at the time of its last sample."""
    return [
        Sample(
            own[-1].at_s,
            process,
            min(sample.rss_mb for sample in own),
            min(sample.files for sample in own),
            min(sample.threads for sample in own),
        )
        for process, own in _by_process(samples).items()
    ]


def growth(watched: Watched) -> list[str]:
    """Print the growth of every process; return the exceeded bars."""
    failures = list[str]()
    print(f"{'':10} {'MB/h':>8} {'files/h':>8} {'threads/h':>10}   MB at work, first and last stint")
    at_work = [_by_process(watched.stints[number]) for number in (0, -1)]
    for process, rests in _by_process(watched.rests).items():
        slopes = {name: _slope_per_hour(rests, name) for name in BARS_PER_HOUR}
        first, last = (statistics.median(sample.rss_mb for sample in stint[process]) for stint in at_work)
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
    """List the wrong answers: server errors and missing answers."""
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
    names = sorted({sample.process for sample in samples})
    return {name: [sample for sample in samples if sample.process == name] for name in names}


def _slope_per_hour(samples: Sequence[Sample], name: str) -> float:
    hours = np.array([sample.at_s / 3600 for sample in samples])
    return float(np.polyfit(hours, [float(getattr(sample, name)) for sample in samples], 1)[0])


def _described(samples: Sequence[Sample]) -> str:
    return ", ".join(f"{sample.process} {sample.rss_mb:.1f} MB {sample.files} {sample.threads}" for sample in samples)


def _append(path: Path, samples: Sequence[Sample]) -> None:
    with path.open("a") as file:
        for sample in samples:
            file.write(f"{sample.at_s:.1f},{sample.process},{sample.rss_mb:.2f},{sample.files},{sample.threads}\n")


def _print_answers(answers: Counter[tuple[str, str]], tracebacks: int) -> None:
    for (action, outcome), count in sorted(answers.items()):
        print(f"{action:16} {outcome:>16} {count:8}")
    print(f"{answers.total()} requests, {tracebacks} tracebacks in the log")


if __name__ == "__main__":
    sys.exit(main())
