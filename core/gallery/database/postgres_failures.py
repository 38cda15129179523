"""What PostgreSQL and the network can answer instead of rows, in words for the operator."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from core.errors import GalleryUnavailable

_STANDBY = "it is a standby that cannot be written; give the address of the primary"
_NO_DATABASE = "there is no database of that name on the server; create it with createdb"
_LOCKED = "another process holds its lock; try again when that one has finished"
_AWAY = "the server does not answer; check that it runs, its address, and the network"
_REFUSED = "the server refuses the user or the password; check both in the URL, and the server's pg_hba.conf"
# The longest prefix of a SQLSTATE counts; see the appendix "PostgreSQL Error Codes" of its manual.
_CAUSES = {
    "08": _AWAY,
    "25006": _STANDBY,
    "28": _REFUSED,
    "3D000": _NO_DATABASE,
    "40": _LOCKED,
    "42501": "the user lacks the right to do this; let the database belong to it",
    "53100": "the server's disk is full; free some space",
    "53300": "the server has no connection left; raise its max_connections, or run fewer replicas",
    "55P03": _LOCKED,
    "57P": _AWAY,
    "XX001": "it is damaged; restore a backup",
    "XX002": "it is damaged; restore a backup",
}
# Refusals to connect carry no state, only words.
_REFUSALS = {
    "password": _REFUSED,
    "pg_hba.conf": _REFUSED,
    "standby": _STANDBY,
    'role "': _REFUSED,
    'database "': _NO_DATABASE,
    "too many": _CAUSES["53300"],
    "connection slots": _CAUSES["53300"],
}


@contextmanager
def translating_failures(place: str) -> Iterator[None]:
    """Turn what PostgreSQL and the file system raise into ``GalleryUnavailable`` with the cause and what to do."""
    try:
        yield
    except psycopg.Error as exc:
        raise GalleryUnavailable(f"the gallery's database {place} cannot be used: {_advice(exc)}") from exc
    except OSError as exc:
        reason = exc.strerror or type(exc).__name__
        raise GalleryUnavailable(f"the gallery's files cannot be used: {reason} ({exc.filename})") from exc


def _advice(exc: psycopg.Error) -> str:
    state = exc.sqlstate
    if state is None and isinstance(exc, psycopg.OperationalError):
        said = str(exc).strip()
        advice = next((advice for words, advice in _REFUSALS.items() if words in said), None)
        return advice or f"{_AWAY} ({' '.join(said.split())[:300]})"
    prefixes = [str(state)[:length] for length in (5, 3, 2)]
    advice = next((_CAUSES[prefix] for prefix in prefixes if prefix in _CAUSES), None)
    return advice or f"it failed: {exc.diag.message_primary or type(exc).__name__} ({state})"
