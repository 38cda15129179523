"""The manifest: which gallery this is, which encoder made its embeddings, and how often it has changed."""

from datetime import UTC, datetime

from core.errors import EncoderMismatch
from core.gallery.database.port import Connection
from core.results import EncoderFingerprint


def read_gallery_id(connection: Connection) -> str:
    """Return the gallery's random name: 32 hexadecimal digits. Copies of the database have the same."""
    name: str = connection.execute("SELECT gallery FROM identity").fetchone()[0]
    return name


def read_fingerprint(connection: Connection) -> EncoderFingerprint | None:
    """Return the recorded encoder; None in a gallery that has just been created."""
    row = connection.execute(
        "SELECT encoder_name, encoder_weights, encoder_preprocessing, encoder_dim FROM manifest"
    ).fetchone()
    return EncoderFingerprint(*row) if row else None


def write_fingerprint(connection: Connection, fingerprint: EncoderFingerprint) -> None:
    """Record the encoder of a new gallery."""
    connection.execute(
        "INSERT INTO manifest VALUES (1, ?, ?, ?, ?, ?, 0)",
        (
            fingerprint.name,
            fingerprint.weights,
            fingerprint.preprocessing,
            fingerprint.dim,
            datetime.now(UTC).isoformat(timespec="seconds"),
        ),
    )


def refuse_other_encoder(recorded: EncoderFingerprint, given: EncoderFingerprint | None) -> None:
    """Accept only the recorded encoder, or a caller that has none.

    Raises:
        EncoderMismatch: another encoder; its vectors would be compared with the gallery's as if they meant the same.
    """
    if given is not None and not given.is_recorded_as(recorded):
        raise EncoderMismatch(
            f"the gallery was made by {recorded}, this program encodes with {given}; "
            "rebuild it with scripts/build_database.py into an empty folder, or use the gallery's encoder"
        )


def read_generation(connection: Connection) -> int:
    """Return how many changes have been committed so far."""
    generation: int = connection.execute("SELECT generation FROM manifest").fetchone()[0]
    return generation


def next_generation(connection: Connection) -> int:
    """Count one more change, as part of the caller's transaction, and return the new count."""
    connection.execute("UPDATE manifest SET generation = generation + 1")
    return read_generation(connection)
