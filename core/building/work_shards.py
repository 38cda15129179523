"""Splits a folder of photos into parts for several processes or machines."""

import hashlib
import re
from dataclasses import dataclass
from typing import Self

from core.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class Shard:
    """One of ``count`` parts, numbered from 1.

    A photo belongs to part ``sha256(path) mod count + 1``, of its path relative to the folder, with forward slashes, in
    UTF-8, and of the hash its first eight bytes, big-endian. So a photo stays in its part whatever is added or removed
    beside it, all parts are about as large, and the photos of one place may lie in several.
    """

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise InvalidRequest(f"there is no shard {self.number}/{self.count}; accepted: 1/{max(self.count, 1)} up")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``3/8``.

        Raises:
            InvalidRequest: the text is malformed, or the part does not exist.
        """
        numbers = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
        if numbers is None:
            raise InvalidRequest(
                f"{text!r:.40} is not a shard; accepted: NUMBER/COUNT, such as 3/8 for the third of eight"
            )
        return cls(int(numbers[1]), int(numbers[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def holds(self, file: str) -> bool:
        """Say whether the file of this relative path belongs to the part."""
        # Names on disk may hold bytes that are not UTF-8.
        digest = hashlib.sha256(file.encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.number - 1
