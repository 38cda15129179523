r"""Merge galleries of the same encoder, such as the parts of a large collection, without encoding photos again.

    python scripts/merge_galleries.py --into data/gallery shards/1 shards/2 shards/3

Images, their ids, places, vectors, local features and photos are copied; the sources are not changed. A second run
skips images that are there, so an interrupted run can simply be repeated. Services may use --into at the same time.

This also moves a gallery from one machine to several; --database-url and --photo-store belong to --into:

    python scripts/merge_galleries.py --into data/copies data/gallery \
        --database-url postgresql://matcher@db/matcher --photo-store s3://photos/gallery
"""

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from core.building.merging import merge, refuse_other_encoders
from core.errors import InvalidRequest, SemanticMatchError
from core.gallery import Gallery, Storage
from scripts.options import add_storage_options, storage_of


def main(argv: Sequence[str] | None = None) -> int:
    """Merge; return 0 if the target holds all images of the sources."""
    arguments = _parser().parse_args(argv)
    try:
        _merge(arguments.into, arguments.sources, storage_of(arguments))
    except SemanticMatchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "sources", type=Path, nargs="+", metavar="GALLERY", help="folder of a gallery; it is not changed"
    )
    parser.add_argument("--into", type=Path, required=True, help="the gallery to add to; created if it does not exist")
    add_storage_options(parser)
    return parser


def _merge(into: Path, folders: Sequence[Path], storage: Storage) -> None:
    from tqdm import tqdm

    if into.resolve() in [folder.resolve() for folder in folders]:
        raise InvalidRequest(f"{into} is to be merged into itself; name another folder")
    with ExitStack() as opened:
        sources = [
            # Every image is read once.
            opened.enter_context(Gallery.open(folder, None, read_only=True, feature_cache_bytes=0))
            for folder in folders
        ]
        # All sources are checked before anything is written.
        refuse_other_encoders(sources)
        target = opened.enter_context(Gallery.open(into, sources[0].fingerprint, storage=storage, load_vectors=False))
        for source in sources:
            added, known, started = 0, 0, time.perf_counter()
            with tqdm(total=source.count(), unit="photo", disable=None) as progress:
                for batch in merge(source, target):
                    added, known = added + batch.added, known + batch.known
                    progress.update(batch.added + batch.known)
            seconds = time.perf_counter() - started
            rate = (added + known) / max(seconds, 1e-9)
            print(f"{source.folder}: {added} added, {known} already there in {seconds:.1f} s ({rate:.1f} photos/s)")
        print(f"{target.folder}: {target.count()} images, made by {target.fingerprint}")


if __name__ == "__main__":
    raise SystemExit(main())
