"""Delete the photos that belong to no image, which a process that died while adding has left.

    python scripts/sweep_photos.py --db-dir data/gallery --database-url URL --photo-store s3://photos/gallery

A gallery that one machine keeps does this whenever it is opened. One that several machines share does it here, once in
a while; services may be running meanwhile. Every photo is looked at, twice; a bucket lists a thousand per request.

With the database of another gallery, every photo would belong to no image. So nothing is deleted where that is more
than half of all, or more than 100 and 1 %, unless --yes-delete allows as many.
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from core.errors import SemanticMatchError
from core.gallery.opening import check_for_reading, claim_photos
from core.gallery.orphans import count_leftovers, sweep
from core.gallery.storage import open_database, open_photos
from scripts.options import add_storage_options, storage_of


def main(argv: Sequence[str] | None = None) -> int:
    """Sweep; 0 when everything was looked at, 2 when nothing was deleted because of an error or a doubt."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--db-dir", type=Path, required=True, help="folder of the gallery")
    parser.add_argument("--dry-run", action="store_true", help="only print how many would be deleted")
    parser.add_argument(
        "--yes-delete",
        type=int,
        default=0,
        metavar="N",
        help="allow deleting up to N photos, even if they are suspiciously many",
    )
    add_storage_options(parser)
    arguments = parser.parse_args(argv)
    folder, storage = arguments.db_dir.absolute(), storage_of(arguments)
    try:
        with closing(open_database(folder, storage, read_only=False)) as database:
            check_for_reading(database, None)
            photos = open_photos(folder, storage)
            claim_photos(database, photos)
            found = count_leftovers(database, photos)
            print(f"{found.count} of {found.of} photos belong to no image in {database.place}")
            if arguments.dry_run:
                return 0
            if not found.is_plausible and found.count > arguments.yes_delete:
                print(
                    "error: nothing deleted, for these are too many to be orphans; check that --database-url and "
                    f"--photo-store are of the same gallery, and only if they are, add --yes-delete {found.count}",
                    file=sys.stderr,
                )
                return 2
            print(f"{sweep(database, photos)} photos of no image deleted")
    except SemanticMatchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
