"""The benchmark for a GPU starts with few packages, and one part's failure is not another's."""

import re
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.gpu import Run
from benchmarks.verifier_stages import STAGES, measure_queries
from benchmarks.visitor_photos import LARGE, SHAPES, Spread, draw_jpegs
from core.runtime.devices import CPU_ALWAYS, choose_device
from core.verifiers.qwen.qwen_files import load_qwen

REPOSITORY = Path(__file__).parents[2]
WITH_PYTORCH = "torch numpy pillow sympy mpmath networkx jinja2 markupsafe fsspec typing-extensions setuptools"
ONLY = """
import re, sys
from importlib.machinery import PathFinder
from importlib.metadata import packages_distributions

def plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()

wheels = set(map(plain, WHEELS.split()))
absent = {module for module, names in packages_distributions().items() if not wheels & set(map(plain, names))}

class Installed(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in absent else PathFinder.find_spec(name, path, target)

sys.meta_path = [Installed if finder is PathFinder else finder for finder in sys.meta_path]
"""
MEASURE = """
from benchmarks import encoder, gpu, verifier
small = ["--sides", "32", "--batches", "1", "--repeats", "1", "--device", "cpu"]
sys.exit(gpu.main(["--device", "cpu", "--minutes", "0"]) or encoder.main(small))
"""
SERVE = """
import benchmarks.match, gateway.__main__, services.retrieval.__main__, services.verifier.__main__
import core.encoders.dinov3, core.verifiers.qwen.qwen3_vl, core.gallery.vectors.faiss
"""


def run_with(wheels: str, script: str) -> str:
    """Run a script as if these packages and PyTorch alone were installed."""
    installed = f"{wheels} {WITH_PYTORCH} semantic-image-matcher"
    done = subprocess.run(
        [sys.executable, "-c", ONLY.replace("WHEELS", repr(installed)) + script],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheels() -> tuple[str, str]:
    """What docs/gpu.md downloads for a rented machine: for ``m1`` and ``m3``, and what ``match`` needs beside it."""
    page = (REPOSITORY / "docs/gpu.md").read_text()
    first, second = re.search(r"pip download --dest .*? \\\n(.*?)pip download \.\.\.(.*?)```", page, re.DOTALL).groups()
    return first, second.replace("\\", "")


def test_it_starts_with_pytorch_and_transformers_alone(wheels: tuple[str, str]):
    """On a rented machine the encoder and the verifier are measured without the packages of the services."""
    printed = run_with(wheels[0], MEASURE)
    assert [f"all of {part}" in printed for part in ("m1", "m3", "match")] == [True] * 3
    assert "faster than naive" in printed


def test_the_services_start_with_the_wheels_of_the_documentation(wheels: tuple[str, str]):
    """All that three processes import is in the two lists."""
    run_with(" ".join(wheels), SERVE)


def test_a_part_that_fails_leaves_the_others_their_turn(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Its traceback is printed, and it is named at the end."""
    run, measured = Run(CPU_ALWAYS, tmp_path, 1.0), []

    def fail() -> None:
        raise RuntimeError("CUDA error: no kernel image is available")

    run.part("m1", fail)
    run.part("m3", lambda: measured.append("m3"))
    assert (run.failed, measured) == (["m1"], ["m3"])
    assert "no kernel image" in capsys.readouterr().err


def test_photos_have_nine_shapes_and_some_are_large():
    """A benchmark over one shape does not see what a new one costs."""
    sizes = {Image.open(BytesIO(data)).size for data in draw_jpegs(18)}
    assert sizes == {*SHAPES, LARGE}


def test_percentiles_are_of_the_times():
    """Of few times, the last percentile is the longest."""
    assert Spread.of([float(number) for number in range(1, 11)]) == Spread(5.5, 9.0, 10.0)


def test_queries_of_all_shapes_are_timed_by_stage(qwen_folders: dict[str, Path]):
    """New and known photos, written reasons, and the parts of a query; without a GPU no device time."""
    model = load_qwen(qwen_folders["qwen3_vl"], choose_device("cpu"))
    times = measure_queries(model, tokens=16, candidates=2, queries=2, explained=1)
    assert tuple(times.stages) == STAGES
    assert all(stage.wall > 0 and stage.device == 0 for stage in times.stages.values())
    assert times.first >= times.new.p50 > 0
    assert times.explained.p50 > times.known.p50
    assert "with reasons" in str(times)
