"""The port to the photo store."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from core.errors import GalleryUnavailable, InvalidRequest


class LostPhoto(GalleryUnavailable):
    """The photo store answers, but this photo is missing or torn; others may be intact."""


OWNER_NAME = "gallery-id"
"""Where a store says whose photos it holds."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Which gallery wants to keep its photos in a store.

    Attributes:
        gallery_id: its random name.
        held: content hash and media type of some of its images; the right store holds one of their originals at least.
    """

    gallery_id: str
    held: tuple[tuple[str, str], ...] = ()

    def settle(
        self,
        place: str,
        read_owner: Callable[[], str | None],
        has: Callable[[str, str], bool],
        write: Callable[[], None],
    ) -> None:
        """Check that a store belongs to this gallery, and record that in the store if no gallery is recorded.

        Args:
            place: of the store, for messages.
            read_owner: reads the recorded name; None if there is none.
            has: whether the original of a content hash and media type is there.
            write: records this gallery's name, unless another one has just been recorded.

        Raises:
            InvalidRequest: another gallery is recorded, or the store has none of the gallery's photos.
        """
        owner = read_owner()
        if owner is None:
            if self.held and not any(has(*content) for content in self.held):
                raise InvalidRequest(
                    f"this gallery has images, and their photos are not in {place}; give the photo store that it was "
                    "made with (--photo-store, M1_PHOTO_STORE, M3_PHOTO_STORE), or copy all of that one there first"
                )
            write()
            owner = read_owner()
        if owner is not None and owner != self.gallery_id:
            raise InvalidRequest(
                f"the photos in {place} are those of another gallery ({owner[:8]}, this one is {self.gallery_id[:8]}), "
                "which would lose what is deleted here; give each gallery a bucket, a prefix or a folder of its own. "
                f"If the other one is no more, delete {place}/{OWNER_NAME}"
            )


class PhotoStore(Protocol):
    """Originals and previews, named by the hash of the original's bytes.

    ``originals/ab/<sha256>.<ext>`` and ``previews/ab/<sha256>.jpg``, ``ab`` being the hash's first two digits, and
    ``gallery-id``. Sound recordings are originals as well, without a preview. Every method may raise
    ``GalleryUnavailable``.
    """

    def claim(self, claim: Claim) -> None:
        """Record the owner of these photos, unless one is recorded: two galleries would delete each other's photos.

        A store that is away makes sure of it before its first change.

        Raises:
            InvalidRequest: they are another gallery's, or this gallery's are elsewhere.
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
