"""Keys and tokens as they are read: made fit for a header, or refused without being repeated."""

from core.errors import InvalidRequest


def read_key(name: str, key: str | None) -> str | None:
    """Give a key without the blanks and line ends around it, which files and copying add.

    Args:
        name: of the setting, for the message.
        key: as given; None stays None.

    Raises:
        InvalidRequest: nothing is left, or something that no header may hold; the key is not in the message.
    """
    if key is None:
        return None
    key = key.strip() if isinstance(key, str) else ""
    if not key or not all("!" <= letter <= "~" for letter in key):
        raise InvalidRequest(
            f"{name} is no key: it is empty, or has blanks, control characters or letters beyond ASCII in it; "
            "accepted: printable ASCII without blanks"
        )
    return key
