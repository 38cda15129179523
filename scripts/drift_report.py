"""Compare a collection's recent answers with earlier ones, week by week.

    python scripts/drift_report.py --db-dir data/gallery --collection default

Reads the match log that the services keep with the gallery (M1_MATCH_LOG_DAYS); they may be running.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from core.errors import SemanticMatchError
from core.gallery import DEFAULT_COLLECTION, Gallery, Storage
from core.gallery.storage import open_database
from core.journal import Retention, UsageDatabase, UsageLog
from core.journal.calibrated import calibration_reference
from core.journal.drift import Drift, Share, report_drift
from core.journal.usage_database import USAGE_NAME
from core.journal.usage_log import MOST_COMPARED
from scripts.options import add_storage_options, storage_of


def main(argv: Sequence[str] | None = None) -> int:
    """Report; return 0 if nothing unusual is found, 1 if something is unusual, 2 if the log cannot be read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--db-dir", type=Path, required=True, help="folder of the gallery")
    parser.add_argument("--collection", default=DEFAULT_COLLECTION)
    parser.add_argument("--language", choices=["en", "zh"], default="en", help="language of the verdict")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report to this file")
    add_storage_options(parser)
    arguments = parser.parse_args(argv)
    storage = storage_of(arguments)
    database = UsageDatabase(arguments.db_dir, storage)
    try:
        if not database.exists():
            kept = f"{arguments.db_dir}: {USAGE_NAME} is missing" if database.is_file else "this database"
            print(f"error: no match has been logged in {kept}", file=sys.stderr)
            return 2
        columns = UsageLog(database, Retention()).columns(arguments.collection)
        reference = calibration_reference(_calibration(arguments.db_dir, storage, arguments.collection), columns)
        drift = report_drift(columns, time.time(), reference)
    except SemanticMatchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    finally:
        database.close()
    print_drift(drift, arguments.language)
    if arguments.json:
        arguments.json.write_text(json.dumps(asdict(drift), indent=2, ensure_ascii=False))
        print(f"written: {arguments.json}")
    return 1 if drift.state == "unusual" else 0


def _calibration(folder: Path, storage: Storage, collection: str) -> str | None:
    with closing(open_database(folder, storage, read_only=True)) as rows:
        if not rows.exists():  # the gallery was deleted, but not its log
            return None
    with Gallery.open(folder, None, read_only=True, storage=storage) as gallery:
        return gallery.calibration(collection)


def print_drift(drift: Drift, language: str) -> None:
    """Print the verdict, the weeks and the feedback."""
    print(drift.zh if language == "zh" else drift.en)
    if drift.reference_source:
        print(f"compared with {drift.reference_source.replace('_', ' ')}: answered {_say(drift.reference)}")
    print("  week of      answered                      PSI   KS p      said to be right")
    for week in drift.weeks:
        marks = "reference" if week.is_reference else "unusual" if week.answers_changed or week.scores_changed else ""
        psi, ks_p = (f"{value:.3f}" if value is not None else "-" for value in (week.psi, week.ks_p))
        print(
            f"  {week.start}   {_say(week.answered):28}  {psi:5} {ks_p:8}  {_say(week.precision):28} {marks}".rstrip()
        )
    print(f"right answers among those commented on: {_say(drift.precision)}")
    if drift.left_out:
        print(
            f"{drift.left_out} matches left out: not verified, answered by other models, or older than the newest "
            f"{MOST_COMPARED:,}"
        )


def _say(share: Share) -> str:
    if share.value is None:
        return "-"
    low, high = share.interval()
    return f"{share.value:.2f} [{low:.2f}, {high:.2f}] of {share.total}"


if __name__ == "__main__":
    raise SystemExit(main())
