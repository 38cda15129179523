"""Delete the photos that belong to no image, which a process that died while adding has left.

    python scripts/sweep_photos.py --db-dir data/gallery --database-url URL --photo-store s3://photos/gallery

A gallery that one machine keeps does this whenever it is opened. One that several machines share does it here, once in
a while; services may be running meanwhile. Every photo is looked at: a bucket answers a thousand names per request.
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from core.errors import SemanticMatchError
from core.gallery.leftovers import sweep
from core.gallery.opening import check_for_reading
from core.gallery.storage import open_database, open_photos
from scripts.options import add_storage_options, storage_of


def main(argv: Sequence[str] | None = None) -> int:
    """Sweep; 0 when everything was looked at."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--db-dir", type=Path, required=True, help="the gallery's folder")
    add_storage_options(parser)
    arguments = parser.parse_args(argv)
    folder, storage = arguments.db_dir.absolute(), storage_of(arguments)
    try:
        with closing(open_database(folder, storage, read_only=False)) as database:
            check_for_reading(database, None)
            print(f"{sweep(database, open_photos(folder, storage))} photos of no image deleted")
    except SemanticMatchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
