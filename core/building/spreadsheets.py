"""Cells of CSV files that spreadsheet programs open."""

import re

# What begins a formula, also in the full-width form of Chinese keyboards; or a number or a date, and nothing else.
_NO_TEXT = re.compile(r"[=+@\uff1d\uff0b\uff20\uff0d-]|[\d.,:/ eE-]+$")


def as_text(cell: str) -> str:
    """Put a tab before what a spreadsheet program would take for a number, a date or a formula, as 0012 for 12."""
    return f"\t{cell}" if _NO_TEXT.match(cell) else cell
