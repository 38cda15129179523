"""The photo store in an S3-compatible bucket, for several machines, with local copies of recently used photos."""

import hashlib
import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from core.errors import GalleryUnavailable, InvalidRequest
from core.gallery.photos.cache import PhotoCache
from core.gallery.photos.files import PhotoFiles, is_whole_preview
from core.gallery.photos.port import OWNER_NAME, Claim

_AT_ONCE = 16  # an answer takes tens of milliseconds, whatever else is on its way
_DELETED_AT_ONCE = 1000  # S3 takes no more in one request
_ADDRESS_OF_ROLES = "//169.254."
"""Where a machine at Amazon's is asked for its role, when no key is set."""

logger = logging.getLogger(__name__)


class PhotoBucket:
    """Photos as objects, whole or absent, and durable before their rows are committed; see ``PhotoStore``.

    Credentials and region come from where Amazon's own tools look: the AWS_ variables, or the machine's role.
    """

    def __init__(
        self, url: str, *, endpoint: str, cache: PhotoCache, answer_s: float = 10.0, send_s: float = 60.0
    ) -> None:
        """Check the address; the bucket is not asked yet.

        Args:
            url: ``s3://BUCKET`` or ``s3://BUCKET/PREFIX``; the bucket exists.
            endpoint: of a store that is not Amazon's, ``http://HOST:9000``; empty for Amazon's.
            cache: where fetched photos are kept.
            answer_s: for one request that sends nothing; short, because a person waits for the photo.
            send_s: for all photos of one call of ``store``; everybody who writes waits for it.

        Raises:
            InvalidRequest: it is not such a URL.
        """
        parts = urlsplit(url)
        prefix = parts.path.strip("/")
        if parts.scheme != "s3" or not parts.netloc or "@" in parts.netloc or parts.query or parts.fragment:
            raise InvalidRequest("invalid photo store; accepted: s3://BUCKET or s3://BUCKET/PREFIX")
        self._place = f"s3://{parts.netloc}/{prefix}"
        self._cache = cache
        self._paths = PhotoFiles(cache.folder)
        self._send_s = send_s
        self._claimed_by: Claim | None = None
        self._store, self._sending_store = (
            S3Store(
                parts.netloc,
                prefix=prefix or None,
                config={"endpoint": endpoint} if endpoint else {},
                client_options={
                    "allow_http": endpoint.startswith("http://"),
                    "connect_timeout": timedelta(seconds=3),
                    "timeout": timedelta(seconds=timeout_s),
                },
                # A visitor waits: better an answer that says why than one after minutes.
                retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=10)},
            )
            for timeout_s in (answer_s, send_s)
        )

    def claim(self, claim: Claim) -> None:
        """Make the object that says whose photos these are, or read it."""
        self._claimed_by = claim
        try:
            self._ensure_claimed()
        except GalleryUnavailable as exc:
            logger.warning("the gallery opens without its photos: %s", exc)

    def original_path(self, content_hash: str, media_type: str) -> str:
        """Say where its copy is kept."""
        return self._paths.original_path(content_hash, media_type)

    def preview_path(self, content_hash: str) -> str:
        """Say where its copy is kept."""
        return self._paths.preview_path(content_hash)

    def fetch_original(self, content_hash: str, media_type: str, byte_size: int) -> Path | None:
        """A copy of the original; None where there is none, or one whose bytes are not those of its name."""
        path = Path(self.original_path(content_hash, media_type))
        if self._is_kept(path, lambda: path.stat().st_size == byte_size):
            return path
        data = self._get(path)
        if data is None or hashlib.sha256(data).hexdigest() != content_hash:
            return None
        self._cache.put(path, data)
        return path

    def fetch_preview(self, content_hash: str) -> Path | None:
        """A copy of the preview; None where there is none, or a torn one."""
        path = Path(self.preview_path(content_hash))
        if self._is_kept(path, lambda: is_whole_preview(path)):
            return path
        data = self._get(path)
        if data is None:
            return None
        self._cache.put(path, data)
        return path if self._is_kept(path, lambda: is_whole_preview(path)) else None

    def has_originals(self) -> bool:
        """Ask for the first of them."""
        with self._translating_failures():
            return any(obstore.list(self._store, "originals", chunk_size=1))

    def store(self, contents: Iterable[tuple[str, bytes]]) -> None:
        """Send photos; each is whole in the bucket when this returns."""
        self._ensure_claimed()
        photos = [(self._key(Path(path)), data) for path, data in contents]
        if photos:
            with self._translating_failures(), ThreadPoolExecutor(min(_AT_ONCE, len(photos)), "photos") as pool:
                until_s = time.monotonic() + self._send_s
                sending = [pool.submit(self._put, key, data) for key, data in photos]
                try:
                    ended, late = wait(sending, self._send_s, FIRST_EXCEPTION)
                    is_over = time.monotonic() >= until_s
                finally:
                    # Everybody who writes waits for this: hundreds more would fail as slowly.
                    pool.shutdown(cancel_futures=True)
                if late and is_over:  # also where a photo, which may take as long as all together, has failed just now
                    raise GalleryUnavailable(
                        f"{len(photos)} photos could not be sent to {self._place} within {self._send_s:g} s; "
                        "try again, with fewer at once"
                    )
                for sent in ended:
                    sent.result()

    def replace(self, contents: Iterable[tuple[str, bytes]]) -> None:
        """Send photos in place of those already there, and forget the copies of those."""
        photos = list(contents)
        self.store(photos)
        self._cache.discard([Path(path) for path, _ in photos])

    def remove(self, contents: Iterable[tuple[str, str]]) -> None:
        """Delete originals and their previews, as few requests as can be."""
        paths = [
            Path(path)
            for content_hash, media_type in contents
            for path in (self.original_path(content_hash, media_type), self.preview_path(content_hash))
        ]
        self.remove_names([self._key(path) for path in paths])

    def names(self) -> Iterator[str]:
        """List the bucket's keys below the prefix, a thousand with each request."""
        with self._translating_failures():
            for kind in ("originals", "previews"):
                for objects in obstore.list(self._store, kind):
                    yield from (entry["path"] for entry in objects)

    def remove_names(self, names: Collection[str]) -> None:
        """Delete objects, and the copies of them here."""
        self._ensure_claimed()
        keys = list(names)
        with self._translating_failures():
            for start in range(0, len(keys), _DELETED_AT_ONCE):
                obstore.delete(self._store, keys[start : start + _DELETED_AT_ONCE])
        self._cache.discard([self._cache.folder / key for key in keys])

    def _ensure_claimed(self) -> None:
        claim = self._claimed_by
        if claim is None:
            return

        def write() -> None:
            with suppress(AlreadyExistsError):
                obstore.put(self._store, OWNER_NAME, claim.gallery_id.encode(), mode="create", use_multipart=False)

        with self._translating_failures():
            claim.settle(self._place, self._read_owner, self._has, write)
        self._claimed_by = None

    def _read_owner(self) -> str | None:
        try:
            return bytes(obstore.get(self._store, OWNER_NAME).bytes()).decode(errors="replace")
        except (NotFoundError, FileNotFoundError):
            return None

    def _has(self, content_hash: str, media_type: str) -> bool:
        try:
            obstore.head(self._store, self._key(Path(self.original_path(content_hash, media_type))))
        except (NotFoundError, FileNotFoundError):
            return False
        return True

    def _is_kept(self, path: Path, is_whole: Callable[[], bool]) -> bool:
        try:
            return self._cache.touch(path) and is_whole()
        except FileNotFoundError:  # discarded between the two questions
            return False

    def _key(self, path: Path) -> str:
        return path.relative_to(self._cache.folder).as_posix()

    def _put(self, key: str, data: bytes) -> None:
        obstore.put(self._sending_store, key, data, use_multipart=False)

    def _get(self, path: Path) -> bytes | None:
        with self._translating_failures():
            try:
                return bytes(obstore.get(self._store, self._key(path)).bytes())
            except (NotFoundError, FileNotFoundError):
                return None

    @contextmanager
    def _translating_failures(self) -> Iterator[None]:
        try:
            yield
        except (PermissionDeniedError, UnauthenticatedError) as exc:
            raise GalleryUnavailable(
                f"the gallery's photos in {self._place} cannot be used: access is refused; check the AWS_ variables, "
                "and what the bucket allows that key"
            ) from exc
        except (BaseError, OSError) as exc:
            advice = "the store does not answer; check its address and the network"
            if _ADDRESS_OF_ROLES in str(exc):
                advice = "there is no key; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            elif "NoSuchBucket" in str(exc):
                advice = "there is no such bucket; make it, or check the name"
            raise GalleryUnavailable(f"the gallery's photos in {self._place} cannot be used: {advice}") from exc
