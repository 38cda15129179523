"""Back up a gallery while it is in use, restore a backup, or verify a gallery.

    python scripts/backup_gallery.py --gallery data/gallery --output backups/monday
    python scripts/backup_gallery.py --restore backups/monday --gallery data/gallery
    python scripts/backup_gallery.py --verify --gallery data/gallery

A backup is checked after it is written, and again before it is restored. Nothing is overwritten: the target folder must
be empty or new. --verify copies nothing: it checks the database and every original, and prints damaged ones.

For galleries on one machine; docs/operations.md describes backups of galleries in PostgreSQL and a bucket.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from core.errors import SemanticMatchError
from core.gallery.maintenance.backup import back_up, check_gallery, restore


def main(argv: Sequence[str] | None = None) -> int:
    """Back up, restore or verify; return 0 if the result is complete."""
    arguments = _parser().parse_args(argv)
    started = time.perf_counter()
    try:
        if arguments.restore:
            summary, target = restore(arguments.restore, arguments.gallery), arguments.gallery
        elif arguments.verify:
            summary, target = check_gallery(arguments.gallery), arguments.gallery
        else:
            summary, target = back_up(arguments.gallery, arguments.output), arguments.output
    except SemanticMatchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(
        f"{target}: {summary.images} images, {summary.files} files, {summary.byte_size / 1e6:.1f} MB, all checked, "
        f"in {time.perf_counter() - started:.1f} s"
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gallery", type=Path, required=True, help="folder of the gallery")
    direction = parser.add_mutually_exclusive_group(required=True)
    direction.add_argument("--output", type=Path, help="back up into this empty or new folder")
    direction.add_argument("--restore", type=Path, metavar="BACKUP", help="restore this backup into an empty gallery")
    direction.add_argument("--verify", action="store_true", help="check the gallery and name what is damaged")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
