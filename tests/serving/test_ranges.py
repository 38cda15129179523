"""Which part of a file a player asks for."""

import pytest

from serving.ranges import requested_range


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-", range(0, 100)),
        ("bytes=0-1", range(0, 2)),
        ("bytes=90-200", range(90, 100)),
        ("bytes=99-", range(99, 100)),
        ("bytes=-10", range(90, 100)),
        ("bytes=-200", range(0, 100)),
        ("bytes=100-", None),
        ("bytes=5-4", None),
        ("bytes=-0", None),
        ("bytes=-", None),
        ("bytes=0-1,5-6", None),
        ("bytes=" + "9" * 5000 + "-", None),
        ("items=0-1", None),
        ("bytes=a-b", None),
    ],
)
def test_one_range_is_a_part_and_all_else_the_whole(asked: str, part: range | None):
    """Of 100 bytes; what names no byte of the file, or several parts, is answered with the whole file."""
    assert requested_range({"range": asked}, '"tag"', 100) == part


def test_a_part_of_another_file_is_not_mixed_in():
    """With If-Range the part is of the file that the player knows, or the whole of the new one."""
    headers = {"range": "bytes=0-1"}

    assert requested_range({**headers, "if-range": '"tag"'}, '"tag"', 100) == range(0, 2)
    assert requested_range({**headers, "if-range": '"other"'}, '"tag"', 100) is None
    assert requested_range({}, '"tag"', 100) is None
