"""Run by the tests as a process of its own: merges one gallery into another and says how many images each batch was.

python merging_process.py TARGET SOURCE
"""

import sys
from pathlib import Path

from core.building.merging import merge
from core.gallery import Gallery


def main(target: str, source: str) -> None:
    """Merge, a few images at a time."""
    with (
        Gallery.open(Path(source), None, read_only=True) as opened,
        Gallery.open(Path(target), opened.fingerprint, load_vectors=False) as into,
    ):
        for batch in merge(opened, into, batch_images=3):
            sys.stdout.write(f"{batch.added} {batch.known}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
