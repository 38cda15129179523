"""Rotary positions of a conversation's pieces: three axes (time, row, column), as every Qwen-VL counts them.

Text advances all three axes by one per token. A photo's tokens have the position before it plus their row and column,
and the text after it continues behind the larger side.
"""

from collections.abc import Sequence
from functools import lru_cache

import torch

from core.verifiers.qwen.conversations import Piece
from core.verifiers.qwen.visual_tokens import VisualTokens


def positions_of(pieces: Sequence[Piece], start: int, merge: int) -> tuple[torch.Tensor, int]:
    """Compute the positions of pieces that follow others.

    Args:
        pieces: at least one.
        start: position of the first token, which is what this function returned for the pieces before.
        merge: patches per side of a visual token.

    Returns:
        int64 [3, tokens] on the CPU, and the position of the token that follows.
    """
    positions = []
    for piece in pieces:
        if isinstance(piece, VisualTokens):
            _, rows, columns = piece.grid
            positions.append(_of_photo(rows // merge, columns // merge) + start)
            start += max(rows, columns) // merge
        else:
            positions.append(torch.arange(start, start + len(piece)).expand(3, -1))
            start += len(piece)
    return torch.cat(positions, dim=1), start


@lru_cache(maxsize=256)
def _of_photo(rows: int, columns: int) -> torch.Tensor:
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    return torch.stack([torch.zeros_like(row), row, column]).reshape(3, -1)
