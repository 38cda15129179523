"""Compares figures with their bars."""

from collections.abc import Mapping, Sequence

Bar = tuple[str, str, str, float]
"""Set of photos, figure, ``>=`` or ``<=``, bar."""


def compare(figures: Mapping[str, Mapping[str, float]], bars: Sequence[Bar]) -> int:
    """Print every figure with its bar.

    Args:
        figures: by set of photos and name; the bars of a set that was not measured are skipped.
        bars: in the order of the table.

    Returns:
        The exit status: 1 if a bar was missed, else 0.
    """
    width = max(len(figure) for _, figure, _, _ in bars)
    missed = 0
    print(f"\n{'set':8} {'figure':{width}} {'measured':>8}   bar")
    for name, figure, relation, bar in bars:
        if name not in figures:
            continue
        value = figures[name][figure]
        kept = value >= bar if relation == ">=" else value <= bar
        missed += not kept
        print(f"{name:8} {figure:{width}} {value:8.3f}   {relation} {bar:.2f}   {'kept' if kept else 'MISSED'}")
    return 1 if missed else 0
