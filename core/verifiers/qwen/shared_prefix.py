"""Runs a Qwen-VL over conversations with a common beginning, whose keys and values are computed once and shared.

The result equals separate passes only because every token gets the position that it has in its whole conversation.
Rotary positions of photos are three-dimensional; positions derived from an end alone would be wrong, without any error.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch

from core.runtime.cancellation import raise_if_cancelled
from core.verifiers.qwen.conversations import Piece
from core.verifiers.qwen.positions import positions_of
from core.verifiers.qwen.visual_tokens import VisualTokens

_MOST_TEXTS = 16  # styles in both orders; with Qwen3-VL-8B, 400 tokens keep 59 MB on the device


@dataclass(frozen=True, slots=True, eq=False)
class Beginning:
    """The computed first pieces of a conversation.

    Attributes:
        pieces: the pieces.
        length: in tokens.
        next_position: of the token that follows.
        keys_and_values: one pair per layer, each [1, heads, length, head_dim]; none for an empty beginning.
    """

    pieces: tuple[Piece, ...]
    length: int
    next_position: int
    keys_and_values: tuple[tuple[torch.Tensor, torch.Tensor], ...]


NOTHING = Beginning((), 0, 0, ())
"""The empty beginning."""


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """K ends, padded on the left to one length S.

    Attributes:
        ids: int64 [K, S].
        mask: int64 [K, P + S] over the beginning's P tokens and the ends'; 0 where padded. None without padding.
        positions: int64 [3, K, S]: time, row, column.
        following: position of the token after the last end.
        photos: the photos of all ends, row by row.
    """

    ids: torch.Tensor
    mask: torch.Tensor | None
    positions: torch.Tensor
    following: int
    photos: list[VisualTokens]


class SharedPrefixRunner:
    """Runs a Qwen-VL over beginnings and ends. Not thread-safe."""

    def __init__(self, network: Any, stop_tokens: Sequence[int]) -> None:
        """Wrap a ``Qwen*VLForConditionalGeneration``; ``stop_tokens`` end a generated reply."""
        self._network = network
        self._config = network.config
        self._texts: dict[tuple[Piece, ...], Beginning] = {}
        self._padding = stop_tokens[0]
        self._stop_tokens = torch.tensor(list(stop_tokens), device=network.device)

    @property
    def text_network(self) -> Any:
        """The part of the network that all passes over text and visual tokens run."""
        return self._network.model.language_model

    def begin(self, pieces: Sequence[Piece], after: Beginning = NOTHING) -> Beginning:
        """Compute a beginning, or extend the beginning ``after``; without pieces nothing is computed."""
        if not pieces:
            return after
        batch = self._lay_out(after, [pieces])
        states = self._network.model(use_cache=True, **self._inputs(batch, self._share(after, 1)))
        return Beginning(
            pieces=(*after.pieces, *pieces),
            length=after.length + batch.ids.shape[1],
            next_position=batch.following,
            keys_and_values=tuple((layer.keys, layer.values) for layer in states.past_key_values.layers),
        )

    def begin_with_text(self, pieces: Sequence[Piece]) -> Beginning:
        """Compute a beginning without photos and cache it: a style's instructions never change."""
        text = tuple(pieces)
        if text not in self._texts:
            if len(self._texts) >= _MOST_TEXTS:
                self._texts.pop(next(iter(self._texts)))
            self._texts[text] = self.begin(text)
        return self._texts[text]

    def positions(self, pieces: Sequence[Piece], start: int) -> tuple[torch.Tensor, int]:
        """Compute rotary positions; see ``core.verifiers.qwen.positions``."""
        return positions_of(pieces, start, self._config.vision_config.spatial_merge_size)

    def last_states(
        self,
        beginning: Beginning,
        pieces: Sequence[Piece],
        positions: torch.Tensor,
        sees: torch.Tensor,
        segments: torch.Tensor,
        lasts: torch.Tensor,
    ) -> torch.Tensor:
        """Run the network over segments of conversations as one sequence behind a common beginning.

        Args:
            beginning: that all segments follow.
            pieces: of all segments, in order.
            positions: int64 [3, T], of the T tokens of the pieces.
            sees: bool [S, S]: whether a segment attends to another, which is itself or an earlier one.
            segments: int64 [T]: the segment of every token.
            lasts: int64 [E]: tokens whose states are wanted.

        Returns:
            [E, D] on the network's device, in its number format: the states from which the next token follows.
        """
        device = self._network.device
        segment, lasts = segments.to(device), lasts.to(device)
        # Spread on the device: the whole mask has millions of entries, of which the host copies a few.
        mask = sees.to(device)[segment][:, segment].tril_()
        mask = torch.nn.functional.pad(mask, (beginning.length, 0), value=True)
        photos = _photos_of([pieces])
        output = self._network.model(
            input_ids=torch.tensor([self._ids_of(pieces)]).to(device),
            attention_mask=mask[None, None],
            position_ids=positions[:, None].to(device),
            past_key_values=self._share(beginning, 1),
            mm_encoder_outputs={"image": self._tower_output(photos)} if photos else None,
        )
        states: torch.Tensor = output.last_hidden_state[0, lasts]
        return states

    def token_logprobs(self, states: torch.Tensor, tokens: Sequence[int]) -> torch.Tensor:
        """Compute log-probabilities of tokens as the next one, float32 [E, tokens].

        The tokens' own logits are computed in float32: in bfloat16, neighbouring numbers are 0.125 apart where answer
        words have their logits, and confidences near 0.5 would be one of three numbers.
        """
        head = self._network.lm_head
        total = head(states).float().logsumexp(dim=-1, keepdim=True)
        rows = torch.tensor(tokens, device=head.weight.device)
        logits = torch.nn.functional.linear(
            states.float(), head.weight[rows].float(), None if head.bias is None else head.bias[rows].float()
        )
        logprobs: torch.Tensor = logits - total
        return logprobs

    def generate(self, beginning: Beginning, ends: Sequence[Sequence[Piece]], max_tokens: int) -> torch.Tensor:
        """Continue every end by greedy decoding.

        Returns:
            int64 [K, max_tokens]; after its stop token a row is filled up with a stop token.
        """
        batch = self._lay_out(beginning, ends)
        cache = self._share(beginning, len(ends))
        output = self._network(logits_to_keep=1, use_cache=True, **self._inputs(batch, cache))
        token = output.logits[:, -1].argmax(dim=-1, keepdim=True)
        # A conversation ends with text, where all three position axes are equal.
        position, mask = batch.positions[:, :, -1:], batch.mask
        tokens = [token]
        ended = torch.isin(token, self._stop_tokens)
        while len(tokens) < max_tokens and not bool(ended.all()):
            raise_if_cancelled()
            position = position + 1
            mask = None if mask is None else torch.nn.functional.pad(mask, (0, 1), value=1)
            output = self._network(
                input_ids=token,
                attention_mask=mask,
                position_ids=position,
                past_key_values=output.past_key_values,
                logits_to_keep=1,
                use_cache=True,
            )
            likeliest = output.logits[:, -1].argmax(dim=-1, keepdim=True)
            token = likeliest.masked_fill(ended, self._padding)
            ended = ended | torch.isin(token, self._stop_tokens)
            tokens.append(token)
        replies = torch.cat(tokens, dim=1)
        return torch.nn.functional.pad(replies, (0, max_tokens - replies.shape[1]), value=self._padding)

    def _lay_out(self, beginning: Beginning, ends: Sequence[Sequence[Piece]]) -> _Batch:
        rows = [self._ids_of(pieces) for pieces in ends]
        length = max(map(len, rows))
        count, start = len(rows), beginning.length
        # Built on the CPU and copied at once: positions are computed in Python.
        ids = torch.full((count, length), self._padding)
        mask = torch.ones((count, start + length), dtype=torch.int64)
        positions = torch.zeros((3, count, length), dtype=torch.int64)
        following = beginning.next_position
        for row, (tokens, pieces) in enumerate(zip(rows, ends, strict=True)):
            padding = length - len(tokens)
            ids[row, padding:] = torch.tensor(tokens)
            mask[row, start : start + padding] = 0
            positions[:, row, padding:], following = self.positions(pieces, beginning.next_position)
        device = self._network.device
        padded = len(set(map(len, rows))) > 1
        return _Batch(
            ids=ids.to(device),
            mask=mask.to(device) if padded else None,
            positions=positions.to(device),
            following=following,
            photos=_photos_of(ends),
        )

    def _ids_of(self, pieces: Sequence[Piece]) -> list[int]:
        ids: list[int] = []
        for piece in pieces:
            ids += [self._config.image_token_id] * piece.count if isinstance(piece, VisualTokens) else piece
        return ids

    def _inputs(self, batch: _Batch, cache: Any) -> dict[str, Any]:
        return {
            "input_ids": batch.ids,
            "attention_mask": batch.mask,
            "position_ids": batch.positions,
            "past_key_values": cache,
            "mm_encoder_outputs": {"image": self._tower_output(batch.photos)} if batch.photos else None,
        }

    def _tower_output(self, photos: Sequence[VisualTokens]) -> SimpleNamespace:
        """Return the photos' states in the format of the network's own vision tower."""
        device, width = self._network.device, self._config.get_text_config().hidden_size
        # One block of columns per level: the tower's final output, then the deepstack levels.
        levels = [torch.split(photo.states.to(device, non_blocking=True), width, dim=1) for photo in photos]
        final, *deepstack = [list(level) for level in zip(*levels, strict=True)]
        return SimpleNamespace(pooler_output=final, deepstack_features=deepstack)

    def _share(self, beginning: Beginning, count: int) -> Any:
        """Make a key-value cache in which ``count`` rows share the beginning without copies."""
        from transformers import DynamicCache

        if not beginning.keys_and_values:
            return None
        return DynamicCache(
            [
                (keys.expand(count, -1, -1, -1), values.expand(count, -1, -1, -1))
                for keys, values in beginning.keys_and_values
            ]
        )


def _photos_of(rows: Sequence[Sequence[Piece]]) -> list[VisualTokens]:
    return [piece for pieces in rows for piece in pieces if isinstance(piece, VisualTokens)]
