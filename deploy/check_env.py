"""Refuses a name in .env that nothing reads: ``check_env.py .env.example``, with what .env says as its environment.

Compose hands a container only the variables that its file lists, so no process would ever see a misspelt one. This runs
first, in a container of its own without a network, and ends with 1 where a name begins with the prefix of a process and
is no setting, or is almost the name of one. Only the standard library: it runs in the base image.
"""

import os
import re
import sys
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

PREFIXES = ("M1_", "M3_", "GATEWAY_")
NOT_OURS = ("COMPOSE_", "DOCKER_", "BUILDKIT_")
ALIKE = 0.85
"""From this similarity on, a name is taken for a misspelt one: one or two letters of ten."""


def find_mistakes(names: Iterable[str], known: set[str]) -> list[str]:
    """Say of every name that nothing reads which one was probably meant; without values, which may be secrets."""
    mistakes = []
    for name in sorted(set(names) - known):
        if name.startswith(NOT_OURS):
            continue
        similar = get_close_matches(name.upper(), known, n=1, cutoff=ALIKE)
        if similar and name.upper() != similar[0]:
            mistakes.append(f"{name}: no such setting; did you mean {similar[0]}?")
        elif name.upper().startswith(PREFIXES):
            mistakes.append(f"{name}: no such setting of the containers; .env.example lists them all")
    return mistakes


def main() -> int:
    """Compare the environment with the example named on the command line."""
    example = Path(sys.argv[1]).read_text(encoding="utf-8")
    known = set(re.findall(r"^# ([A-Z][A-Z0-9_]+)=", example, re.MULTILINE))
    mistakes = find_mistakes(os.environ, known)
    for mistake in mistakes:
        print(f".env: {mistake}", file=sys.stderr)
    return 1 if mistakes else 0


if __name__ == "__main__":
    sys.exit(main())
