"""The drift report as operators run it."""

import json
import time

import numpy as np

from core.gallery import Storage
from core.journal import MatchRecord, Retention, UsageDatabase, UsageLog
from scripts import drift_report

WEEK = 7 * 86_400.0


def log_weeks(folder, *shares: float, storage: Storage | None = None) -> None:
    """Log 200 matches in each of the last weeks, so many of them answered."""
    rng = np.random.default_rng(0)
    now = time.time()
    monday = now - (now - 4 * 86_400) % WEEK  # 1970-01-05 was one
    database = UsageDatabase(folder, storage or Storage())
    log = UsageLog(database, Retention())
    for ago, share in zip(range(len(shares), 0, -1), shares, strict=True):
        matches = []
        for number in range(200):
            matched = bool(rng.random() < share)
            confidence = float(rng.beta(8, 1) if matched else rng.beta(1, 8))
            at = monday - ago * WEEK + number * 600
            matches.append(
                MatchRecord(
                    f"r{ago}-{number}", at, "default", matched, "gate", "Gate", confidence, confidence, "done", "e", "v"
                )
            )
        log.record(matches)
    database.close()


def test_a_fall_is_printed_and_told_by_the_status(tmp_path, capsys):
    """The verdict comes first, in the language asked for, and unusual weeks are marked."""
    log_weeks(tmp_path, 0.8, 0.8, 0.4)
    written = tmp_path / "drift.json"

    status = drift_report.main(["--db-dir", str(tmp_path), "--language", "zh", "--json", str(written)])

    printed = capsys.readouterr().out
    assert status == 1
    assert "下降" in printed.splitlines()[0]
    assert printed.count("unusual") == 1
    assert json.loads(written.read_text())["state"] == "unusual"


def test_steady_weeks_are_nothing_unusual(tmp_path, capsys):
    """Nothing changed, nothing to do."""
    log_weeks(tmp_path, 0.8, 0.8, 0.8)

    assert drift_report.main(["--db-dir", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("Nothing unusual in 2 weeks.")


def test_without_a_log_it_says_so(tmp_path, capsys):
    """No log is made where none is."""
    assert drift_report.main(["--db-dir", str(tmp_path)]) == 2
    assert "usage.sqlite3 is missing" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_log_that_replicas_share_is_read_where_it_is(tmp_path, postgres, capsys):
    """By the address of its database; where nothing was logged there, that is said."""
    url = postgres.create_database()
    arguments = ["--db-dir", str(tmp_path), "--database-url", url]
    assert drift_report.main(arguments) == 2
    assert "no match has been logged in this database" in capsys.readouterr().err

    log_weeks(tmp_path, 0.8, 0.8, 0.4, storage=Storage(database_url=url))

    assert drift_report.main(arguments) == 1
    assert " fell from " in capsys.readouterr().out
