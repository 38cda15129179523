"""What the gallery asks of the place where its photos are kept."""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Protocol

from core.errors import GalleryUnavailable, InvalidRequest


class LostPhoto(GalleryUnavailable):
    """The store answers, and this photo is missing or torn; another one may be whole."""


OWNER_NAME = "gallery-id"
"""Where a store says whose photos it holds."""


def refuse_other_owner(owner: str, gallery_id: str, place: str) -> None:
    """Let pass only the gallery on record.

    Raises:
        InvalidRequest: it is another one.
    """
    if owner != gallery_id:
        raise InvalidRequest(
            f"the photos in {place} are those of another gallery ({owner[:8]}, this one is {gallery_id[:8]}), which "
            "would lose what is deleted here; give each gallery a bucket, a prefix or a folder of its own. If the "
            f"other one is no more, delete {place}/{OWNER_NAME}"
        )


class PhotoStore(Protocol):
    """Originals and previews, named by the hash of the original's bytes.

    ``originals/ab/<sha256>.<ext>`` and ``previews/ab/<sha256>.jpg``, ``ab`` being the hash's first two digits, and
    ``gallery-id``. Every method may raise ``GalleryUnavailable``.
    """

    def claim(self, gallery_id: str) -> None:
        """Put on record whose photos these are, unless it is: two galleries would delete each other's.

        A store that is away makes sure of it before its first change.

        Raises:
            InvalidRequest: they are another gallery's.
        """

    def original_path(self, content_hash: str, media_type: str) -> str:
        """Say where the original lies on this machine, or would once it was fetched."""

    def preview_path(self, content_hash: str) -> str:
        """Say where the preview lies on this machine, or would once it was fetched."""

    def fetch_original(self, content_hash: str, media_type: str, byte_size: int) -> Path | None:
        """Have the original on this machine; None where it is missing or torn."""

    def fetch_preview(self, content_hash: str) -> Path | None:
        """Have the preview on this machine; None where it is missing or torn."""

    def has_originals(self) -> bool:
        """Whether any original is stored."""

    def store(self, contents: Iterable[tuple[str, bytes]]) -> None:
        """Write photos that survive a power cut when this returns.

        Args:
            contents: where, as ``original_path`` and ``preview_path`` say, and what. The name tells the content.
        """

    def replace(self, contents: Iterable[tuple[str, bytes]]) -> None:
        """Write photos as ``store`` does, in place of those already there."""

    def remove(self, contents: Iterable[tuple[str, str]]) -> None:
        """Delete the originals of these hashes and media types, and their previews; what is gone already is fine."""

    def names(self) -> Iterator[str]:
        """List all that is stored, ``originals/ab/...`` and ``previews/ab/...``, in no order."""

    def remove_names(self, names: Collection[str]) -> None:
        """Delete some of that; what is gone already is fine."""
