"""Who changed what and when: one JSON line per change, appended to a file that this program never shortens.

With ``-`` for the file, the lines go to standard output, where a cluster collects those of all replicas.

The file is opened for every line, so logrotate may rename it at any time. A line is written before the change is
acknowledged, so it survives a killed process; unlike the gallery's rows, it is not synced to disk.
"""

import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from serving.auth.identity import current_identity
from serving.observability import current_request_id

STANDARD_OUTPUT = Path("-")

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Change:
    """The content of a change's line, filled in while the change is made.

    Attributes:
        ids: of the changed objects.
        details: further facts, JSON; never a key or the text of a description.
    """

    ids: Sequence[str] = ()
    details: dict[str, Any] = field(default_factory=dict)


class AuditLog:
    """Appends to one file, which several processes may share."""

    def __init__(self, path: Path | None) -> None:
        """Set the file; ``-`` is standard output.

        Args:
            path: of the file, created with its first line; ``-`` for standard output; None writes nothing.
        """
        self._path = path

    @contextmanager
    def change(self, action: str, *ids: str, **details: Any) -> Iterator[Change]:
        """Write the line of the change in the block at its end, also if it fails.

        Args:
            action: what is done, such as ``image.delete``.
            ids: of the changed objects, if they are known before.
            details: further facts, JSON.
        """
        change = Change(ids, details)
        outcome = "interrupted"
        try:
            yield change
            outcome = "done"
        except Exception as exc:
            outcome = f"failed: {type(exc).__name__}"
            raise
        finally:
            self.record(action, change, outcome)

    def record(self, action: str, change: Change, outcome: str, *, who: str | None = None) -> None:
        """Write one line.

        Args:
            action: what was done.
            change: the changed objects and details.
            outcome: ``done``, ``failed: `` and the class of the error, or ``interrupted``.
            who: the name of whoever made the change, if it is not the caller of the request.
        """
        if self._path is None:
            return
        identity = current_identity()
        line = json.dumps(
            {
                "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "action": action,
                "who": who or identity.name,
                "address": identity.address,
                "ids": list(change.ids),
                **change.details,
                "outcome": outcome,
                "request_id": current_request_id(),
            },
            ensure_ascii=False,
        )
        try:
            _append(self._path, line.encode() + b"\n")
        except OSError as exc:
            # The change has been made, so it must be acknowledged although its line is lost.
            logger.error("not in the audit log (%s): %s", exc, line)


def _append(path: Path, line: bytes) -> None:
    """Write a line with one system call, so that lines of several processes and threads do not mix."""
    if path == STANDARD_OUTPUT:
        os.write(1, line)  # not by a path, which a container's user may not be allowed to open
        return
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
    try:
        os.write(handle, line)
    finally:
        os.close(handle)
