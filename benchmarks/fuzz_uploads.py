"""Sends damaged uploads to the whole product in one process; checks for 5xx other than 503, hangs and memory growth.

    python -m benchmarks.fuzz_uploads --inputs 20000 --seed 0

Photos are decoded, stored and searched as usual; only the networks are replaced.
"""

import argparse
import asyncio
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
from PIL import Image

from benchmarks.mutations import BOUNDARY, form, mutate, sound_uploads
from contracts.errors import ErrorBody
from core.imaging.decoding import LONGEST_SIDE
from core.results import EncoderFingerprint, Encodings, LocalFeatures, Look, Photo, Verdict
from gateway.settings import GatewaySettings
from services.retrieval.app import create_app as create_retrieval
from services.retrieval.settings import RetrievalSettings
from services.verifier.app import create_app as create_verifier
from services.verifier.settings import VerifierSettings
from standalone.app import compose

# Of processor time, so that a busy machine causes no hangs.
HANG_S = 5.0
_GIVEN_UP_S = 120.0
_SIDE = 8


@dataclass
class KindReport:
    """Results of the damaged files of one kind.

    Attributes:
        statuses: number of answers by status; 0 for no answer.
        outcomes: number of uploaded files by outcome: ``added``, ``duplicate`` or ``rejected``.
        slowest_s: wall time of the slowest answer.
        hangs: answers that took more than ``HANG_S`` of this process's CPU time, or did not come within two minutes.
        failures: names of the stored inputs that caused a 5xx other than 503, a hang, an error in another format, or a
            failure of the verifier.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    hangs: int = 0
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class FuzzReport:
    """Results of all files.

    Attributes:
        kinds: results by kind.
        seconds: duration of the run.
        peaks_mib: peak resident memory after the undamaged files, and after every quarter of the inputs.
    """

    kinds: dict[str, KindReport]
    seconds: float
    peaks_mib: tuple[float, ...]

    @property
    def failures(self) -> list[str]:
        """The failures of all kinds."""
        return [name for kind in self.kinds.values() for name in kind.failures]

    @property
    def total(self) -> KindReport:
        """The sum over all kinds."""
        total = KindReport(failures=self.failures)
        for kind in self.kinds.values():
            total.statuses += kind.statuses
            total.outcomes += kind.outcomes
            total.slowest_s = max(total.slowest_s, kind.slowest_s)
            total.hangs += kind.hangs
        return total

    def lines(self) -> Iterator[str]:
        """Format the table."""
        yield f"{'kind':18}{'inputs':>8}{'200':>8}{'4xx':>8}{'503':>6}{'other 5xx':>11}{'hangs':>7}{'slowest':>10}"
        for name, kind in [*self.kinds.items(), ("all", self.total)]:
            refused = sum(count for status, count in kind.statuses.items() if 400 <= status < 500)
            broken = sum(count for status, count in kind.statuses.items() if status >= 500 and status != 503)
            yield (
                f"{name:18}{kind.statuses.total():>8}{kind.statuses[200]:>8}{refused:>8}{kind.statuses[503]:>6}"
                f"{broken:>11}{kind.hangs:>7}{kind.slowest_s * 1000:>7.0f} ms"
            )
        statuses = ", ".join(f"{status}: {count}" for status, count in sorted(self.total.statuses.items()))
        yield f"statuses {statuses}; files {dict(self.total.outcomes)}"
        peaks = " -> ".join(f"{peak:.0f}" for peak in self.peaks_mib)
        yield f"{self.seconds:.0f} s; peak memory, MiB: {peaks}"
        yield f"failures: {', '.join(self.failures) or 'none'}"


class ThumbnailEncoder:
    """A fast encoder: the embedding of a photo is its thumbnail."""

    fingerprint = EncoderFingerprint("thumbnail", "none", "8x8 colours", _SIDE * _SIDE * 3)
    photo_side = LONGEST_SIDE

    def encode(self, images: Sequence[Image.Image]) -> Encodings:
        """Embed photos of any size."""
        small = [np.asarray(image.resize((_SIDE, _SIDE)), np.float32).ravel() + 1 for image in images]
        return Encodings(np.stack([vector / np.linalg.norm(vector) for vector in small]), (None,) * len(images))

    def look_again(self, image: Image.Image, first: LocalFeatures) -> Iterator[Look]:  # noqa: ARG002 - of the port
        """Return no further views."""
        return iter(())


class LookingVerifier:
    """A verifier that loads the pixels of every photo and rejects every pair."""

    fingerprint = "looking"

    def style(self, prompt_style: str | None) -> None:
        """Return None: there are no prompts."""

    def verify(
        self,
        query: Photo,
        candidates: Sequence[Photo],
        *,
        prompt_style: str | None = None,  # noqa: ARG002 - of the port
        explain: bool = False,  # noqa: ARG002 - of the port
    ) -> list[Verdict]:
        """Decode all photos and reject all pairs."""
        return [Verdict(False, 0.0, f"{photo.load().size} is not {query.load().size}") for photo in candidates]


async def fuzz(inputs: int, seed: int, folder: Path) -> FuzzReport:
    """Send damaged files, one after another.

    Args:
        inputs: number of files.
        seed: of the random damage.
        folder: for the gallery and the failed inputs; ``current`` is the last input, in case the process dies.
    """
    # Without metadata, because this runs the most code.
    stored = RetrievalSettings(data_dir=folder / "gallery", strip_metadata=True)
    retrieval = create_retrieval(stored, encoder=ThumbnailEncoder())
    verifier = create_verifier(VerifierSettings(data_dir=folder / "gallery"), verifier=LookingVerifier())
    settings = GatewaySettings(rate_per_minute=0, anonymous_rate_per_minute=0)
    app = compose(settings, retrieval=retrieval, verifier=verifier)
    rng, sound = random.Random(seed), sound_uploads(seed)
    names, others = list(sound), list(sound.values())
    kinds = {name: KindReport() for name in names}
    started = time.perf_counter()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(app.router.lifespan_context(app))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        client = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://localhost"))
        for service in (retrieval, verifier):
            await service.state.loading.loaded()
        for name, data in sound.items():
            answer = await _send(client, name, data, add=True)
            if answer.status_code != 200:
                raise RuntimeError(f"the sound {name} was refused: {answer.text}")
        peaks = [_peak_mib()]
        for number in range(inputs):
            name = names[number % len(names)]
            data = mutate(rng, sound[name], others)
            (folder / "current").write_bytes(data)
            if not await _try(client, rng, name, data, kinds[name]):
                kept = f"{number}-{name.replace(' ', '-')}"
                (folder / kept).write_bytes(data)
                kinds[name].failures.append(kept)
            if (number + 1) % max(1, inputs // 4) == 0:
                peaks.append(_peak_mib())
    return FuzzReport(kinds, time.perf_counter() - started, tuple(peaks))


async def _try(client: httpx.AsyncClient, rng: random.Random, name: str, data: bytes, report: KindReport) -> bool:
    """Send one file; return whether the answers were correct."""
    started, worked = time.perf_counter(), time.process_time()
    try:
        async with asyncio.timeout(_GIVEN_UP_S):
            answer = await _send(client, name, data, add=rng.random() < 0.5, verify=rng.random() < 0.3)
    except TimeoutError:
        report.statuses[0] += 1
        report.hangs += 1
        return False
    hung = time.process_time() - worked > HANG_S
    report.statuses[answer.status_code] += 1
    report.slowest_s = max(report.slowest_s, time.perf_counter() - started)
    report.hangs += hung
    if answer.status_code == 200:
        told = answer.json()
        report.outcomes.update(result["status"] for result in told.get("results", []))
        # The gateway answers even if the verifier fails; here that counts as a failure.
        return not hung and told.get("verification") != "unavailable"
    ErrorBody.model_validate_json(answer.content)
    return not hung and (answer.status_code < 500 or answer.status_code == 503)


async def _send(
    client: httpx.AsyncClient, name: str, data: bytes, *, add: bool, verify: bool = False
) -> httpx.Response:
    """Match or add a photo, or add an archive; of a form, the whole body is damaged."""
    as_form = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    if name.startswith("form"):
        path = "/index/images" if "upload" in name else "/match"
        return await client.post(path, content=data, headers=as_form)
    if add or name.startswith("zip"):
        return await client.post("/index/images", content=form({}, {"file": ("a.jpg", data)}), headers=as_form)
    body = form({"verify": str(verify).lower()}, {"file": ("q", data)})
    return await client.post("/match", content=body, headers=as_form)


def _peak_mib() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; return 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=20_000, help="how many damaged files")
    parser.add_argument("--seed", type=int, default=0, help="decides all of them")
    parser.add_argument("--folder", type=Path, help="keeps the gallery and the inputs that failed; new or empty")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        report = asyncio.run(fuzz(arguments.inputs, arguments.seed, folder))
    for line in report.lines():
        print(line)
    return 1 if report.failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
