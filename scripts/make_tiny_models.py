"""Write tiny random models into a folder, to try the GPU backends without a download.

Example: ``python scripts/make_tiny_models.py tiny --only dinov3 qwen3_vl``; then use ``tiny/dinov3`` as model of the
retrieval service and ``tiny/qwen3_vl`` as model of the verifier service.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from scripts.tiny_models.dino import build_dinov2, build_dinov3
from scripts.tiny_models.qwen_vl import GENERATIONS, build_qwen_vl

BUILDERS: Mapping[str, Callable[[Path], Path]] = {
    "dinov3": build_dinov3,
    "dinov2": build_dinov2,
    **{generation: partial(build_qwen_vl, generation=generation) for generation in GENERATIONS},
}
"""Builders of the models, by the name of their folder."""


def main(argv: Sequence[str] | None = None) -> int:
    """Build the chosen models and print their folders."""
    parser = argparse.ArgumentParser(description="Write tiny random models; their answers mean nothing.")
    parser.add_argument("folder", type=Path, help="receives one folder per model")
    parser.add_argument("--only", nargs="+", choices=list(BUILDERS), default=list(BUILDERS), metavar="MODEL")
    arguments = parser.parse_args(argv)
    for name in arguments.only:
        print(BUILDERS[name](arguments.folder / name))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
