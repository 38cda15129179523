"""One forward pass over many conversations: what they share is one part of one sequence, and is computed once.

The sequence has no padding. A block mask lets every segment attend to the segments that it continues and to itself, so
that other candidates, and other visitors' photos, do not exist for it. Every token has the position that it has in its
own conversation. The result equals separate passes up to the order in which float32 numbers are added.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from core.runtime.bounded_forward import BatchLimit, BoundedForward
from core.verifiers.qwen.conversations import Piece
from core.verifiers.qwen.shared_prefix import Beginning, SharedPrefixRunner
from core.verifiers.qwen.vision_tower import CachedVisionTower
from core.verifiers.qwen.visual_tokens import PixelGrid, VisualTokens

MOST_TOKENS = 8192
"""Tokens of one pass, unless a single conversation has more: the mask grows with the square."""


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """Consecutive pieces of conversations. Several segments may continue the same one.

    Attributes:
        pieces: at least one token.
        after: the segment that it continues; None if it follows the common text.
    """

    pieces: tuple[Piece, ...]
    after: "Segment | None" = None

    def chain(self) -> "list[Segment]":
        """List the segments from the first one to this one."""
        return [*(self.after.chain() if self.after else ()), self]

    @property
    def length(self) -> int:
        """Number of tokens."""
        return sum(piece.count if isinstance(piece, VisualTokens) else len(piece) for piece in self.pieces)


@dataclass(frozen=True, slots=True, eq=False)
class Weighing:
    """What one visitor's match asks of a pass.

    Attributes:
        text: tokens with which all its conversations begin: the style's instructions.
        ends: the last segments of its conversations.
        tokens: the tokens whose probability after every end is wanted.
    """

    text: Piece
    ends: tuple[Segment, ...]
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What one visitor's match asks of the device: its photos, and its pairs weighed.

    Attributes:
        photos: query and candidates; those that are pixels go through the vision tower.
        weighings: from the photos' tokens to what is weighed; may be nothing.
    """

    photos: Sequence[VisualTokens | PixelGrid]
    weighings: Callable[[Sequence[VisualTokens]], Sequence[Weighing]]


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """The device's answer to a question.

    Attributes:
        photos: the visual tokens of all photos.
        logprobs: for every weighing float32 [ends, tokens] on the CPU.
    """

    photos: Sequence[VisualTokens]
    logprobs: Sequence[torch.Tensor]


class PackedPass:
    """Computes the next token's probabilities of many conversations. Not thread-safe."""

    def __init__(self, tower: CachedVisionTower, runner: SharedPrefixRunner, limit: BatchLimit) -> None:
        """Set the network's tower and runner, and how many conversations a pass may have."""
        self._tower = tower
        self._runner = runner
        self._limit = limit

    @torch.inference_mode()
    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer several visitors' questions by one pass of the vision tower and one of the text network.

        Raises:
            OutOfMemory: not even a single photo or conversation fitted the device.
        """
        tokens = iter(self._tower.encode([photo for question in questions for photo in question.photos]))
        photos = [[next(tokens) for _ in question.photos] for question in questions]
        asked = [question.weighings(shown) for question, shown in zip(questions, photos, strict=True)]
        weighed = iter(self.weigh([weighing for weighings in asked for weighing in weighings]))
        return [
            Answer(shown, [next(weighed) for _ in weighings]) for shown, weighings in zip(photos, asked, strict=True)
        ]

    def weigh(self, weighings: Sequence[Weighing]) -> list[torch.Tensor]:
        """Weigh several visitors' conversations, those with the same instructions in one pass.

        Args:
            weighings: one for every visitor.

        Returns:
            float32 [ends, tokens] on the CPU for every visitor: natural logarithms of probabilities.

        Raises:
            OutOfMemory: not even a single conversation fitted the device.
        """
        by_text: dict[Piece, list[int]] = {}
        for number, weighing in enumerate(weighings):
            by_text.setdefault(weighing.text, []).append(number)
        results: dict[int, torch.Tensor] = {}
        for text, numbers in by_text.items():
            beginning = self._runner.begin_with_text([text])
            tokens = sorted({token for number in numbers for token in weighings[number].tokens})
            ends = [end for number in numbers for end in weighings[number].ends]
            forward = BoundedForward[Segment](lambda some: self._logprobs(beginning, some, tokens), self._limit)  # noqa: B023 - called at once
            logprobs = forward(ends).cpu()
            parts = torch.split(logprobs, [len(weighings[number].ends) for number in numbers])
            for number, part in zip(numbers, parts, strict=True):
                results[number] = part[:, [tokens.index(token) for token in weighings[number].tokens]]
        return [results[number] for number in range(len(weighings))]

    def _logprobs(self, beginning: Beginning, ends: Sequence[Segment], tokens: Sequence[int]) -> torch.Tensor:
        """Compute the tokens' log-probabilities after every end, float32 [ends, tokens] on the network's device."""
        return torch.cat([self._run(beginning, some, tokens) for some in _within_tokens(ends)])

    def _run(self, beginning: Beginning, ends: Sequence[Segment], tokens: Sequence[int]) -> torch.Tensor:
        segments = _in_order(ends)
        places = {segment: place for place, segment in enumerate(segments)}
        stops = torch.tensor([segment.length for segment in segments]).cumsum(0)
        following: dict[Segment | None, int] = {None: beginning.next_position}
        positions = []
        for segment in segments:
            placed, following[segment] = self._runner.positions(segment.pieces, following[segment.after])
            positions.append(placed)
        sees = torch.zeros((len(segments), len(segments)), dtype=torch.bool)
        for segment, place in places.items():
            sees[place, [places[earlier] for earlier in segment.chain()]] = True
        states = self._runner.last_states(
            beginning,
            [piece for segment in segments for piece in segment.pieces],
            torch.cat(positions, dim=1),
            sees,
            torch.repeat_interleave(torch.arange(len(segments)), stops.diff(prepend=torch.zeros(1, dtype=stops.dtype))),
            stops[[places[end] for end in ends]] - 1,
        )
        return self._runner.token_logprobs(states, tokens)


def _in_order(ends: Sequence[Segment]) -> list[Segment]:
    """List all segments of the conversations, without repetition, every one behind the one that it continues."""
    return list(dict.fromkeys(segment for end in ends for segment in end.chain()))


def _within_tokens(ends: Sequence[Segment]) -> list[list[Segment]]:
    """Split conversations into passes of at most ``MOST_TOKENS`` tokens, or of one conversation."""
    passes: list[list[Segment]] = [[]]
    segments: set[Segment] = set()
    for end in ends:
        together = segments | set(end.chain())
        if passes[-1] and sum(segment.length for segment in together) > MOST_TOKENS:
            passes.append([])
            together = set(end.chain())
        passes[-1].append(end)
        segments = together
    return passes
