"""The two facades belong to the process that loaded them."""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from fakes.images import draw_place

from core.m1_retrieval import M1GlobalRetrieval
from core.m3_verifier import LocalM3Verifier
from scripts.build_database import main as build

ROOT = Path(__file__).parents[2]
# As a process of its own: forking this one would fork pytest's threads as well.
FORKED = """
import os, sys
from core.errors import InvalidRequest
from core.m1_retrieval import M1GlobalRetrieval
from core.m3_verifier import LocalM3Verifier

folder, what, used = sys.argv[1:]
if what == "m1":
    retrieval = M1GlobalRetrieval(device="cpu")
    retrieval.load_index(folder + "/gallery")
    ask = lambda: retrieval.query(folder + "/photos/a/1.png", top_k=1)
else:
    verifier = LocalM3Verifier(verifier="geometric")
    # A photo and itself, which the first of its two matchers settles.
    ask = lambda: verifier.verify_pair(folder + "/photos/a/1.png", folder + "/photos/a/1.png")
if used == "used":
    ask()
if os.fork() == 0:
    try:
        ask()
    except InvalidRequest as error:
        print(error, flush=True)
    os._exit(0)
os.wait()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of two places, and the gallery made of them."""
    root = tmp_path_factory.mktemp("forked")
    for name, seed in (("a/1.png", 1), ("b/2.png", 2)):
        (root / "photos" / name).parent.mkdir(parents=True)
        draw_place(seed, (320, 240)).save(root / "photos" / name)
    assert (
        build(
            ["--image-dir", str(root / "photos"), "--output-dir", str(root / "gallery"), "--without-verifier-features"]
        )
        == 0
    )
    return root


@pytest.mark.parametrize("used", ["used", "unused"])
@pytest.mark.parametrize("what", ["m1", "m3"])
def test_a_fork_is_told_so_instead_of_waiting_for_ever(folder: Path, what: str, used: str):
    """A forked child has none of its parent's threads; it reads what to do instead."""
    done = subprocess.run(
        [sys.executable, "-c", FORKED, str(folder), what, used],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip

    assert "this is a fork of it; load one in each process" in done.stdout


@pytest.mark.parametrize("door", [M1GlobalRetrieval(), LocalM3Verifier(verifier="geometric")], ids=["m1", "m3"])
def test_they_are_not_sent_to_another_process(door: object):
    """Pickling, as for multiprocessing's spawn, is refused in words."""
    with pytest.raises(TypeError, match="cannot be pickled; make one in each process"):
        pickle.dumps(door)
