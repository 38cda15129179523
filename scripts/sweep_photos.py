"""Delete photo files that belong to no image, left by processes that were killed while adding photos.

    python scripts/sweep_photos.py --db-dir data/gallery --database-url URL --photo-store s3://photos/gallery

A gallery on one machine does this whenever it is opened. For a gallery that several machines share, run this script
from time to time; services may be running. All photos are listed twice; a bucket lists a thousand per request.

With another gallery's database, no photo would belong to an image. So nothing is deleted if it were more than half of
all photos, or more than 100 and 1 %, unless --yes-delete allows as many.
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
    """Sweep; return 0 if all photos were checked, 2 if nothing was deleted because of an error or too many photos."""
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
