"""The header ``Idempotency-Key``, after the IETF's draft "The Idempotency-Key HTTP Header Field"."""

from typing import Annotated

from fastapi import Header

KEY_HEADER = "Idempotency-Key"

REPLAYED_HEADER = "Idempotent-Replayed"
"""``true`` in an answer that repeats an earlier one; the name is Stripe's."""


async def accept_idempotency_key(
    _key: Annotated[
        str | None,
        Header(
            alias=KEY_HEADER,
            min_length=1,
            max_length=255,
            pattern="^[!-~]+$",
            description="a name of your own for this write, such as a UUID: sent again with the same key within a day, "
            "a write that succeeded is answered as before and not done again",
        ),
    ] = None,
) -> None:
    """Check and document the header; a dependency of the routes that accept it."""
