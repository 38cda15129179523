"""One query and its K candidates in a local Qwen-VL, asked about together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from core.errors import InvalidRequest
from core.runtime.bounded_forward import BoundedForward
from core.verifiers.prompting.questions import Dialogue
from core.verifiers.prompting.replies import WeighedAnswer, average, spellings, weigh
from core.verifiers.prompting.styles import PromptStyle, Shown, compose
from core.verifiers.qwen.conversations import ConversationWriter, Piece
from core.verifiers.qwen.shared_prefix import Beginning, SharedPrefixRunner
from core.verifiers.qwen.visual_tokens import VisualTokens


@dataclass(frozen=True, slots=True)
class AnswerTokens:
    """The tokens that mean yes, and those that mean no."""

    yes: tuple[int, ...]
    no: tuple[int, ...]

    @classmethod
    def of(cls, style: PromptStyle, writer: ConversationWriter) -> "AnswerTokens":
        """Look the style's answer words up, in every spelling.

        Raises:
            InvalidRequest: the model has no single token for either answer.
        """
        yes, no = (writer.single_tokens(spellings(words)) for words in (style.yes, style.no))
        if not yes or not no:
            raise InvalidRequest(
                f"prompt style {style.name} answers with {'/'.join(style.yes)} or {'/'.join(style.no)}, and this model "
                "has no single token for one of them; choose shorter words"
            )
        return cls(tuple(yes), tuple(no))


class PairSession:
    """Asks about K pairs at once. What the K conversations begin with is computed once and kept for the session.

    Attributes:
        max_batch: conversations per forward pass; shrinks when memory runs out.
    """

    def __init__(
        self,
        runner: SharedPrefixRunner,
        writer: ConversationWriter,
        style: PromptStyle,
        answers: AnswerTokens,
        query: VisualTokens,
        candidates: Sequence[VisualTokens],
        *,
        both_orders: bool,
        max_batch: int,
    ) -> None:
        """Show the photos.

        Args:
            runner: the network.
            writer: its language.
            style: what is said around the photos.
            answers: its answer words in that language.
            query: the visitor's photo.
            candidates: K >= 1 gallery photos.
            both_orders: weigh with the query first and with the candidate first, and average.
            max_batch: conversations per forward pass to begin with.
        """
        self.max_batch = max_batch
        self._runner = runner
        self._writer = writer
        self._style = style
        self._answers = answers
        self._query = query
        self._candidates = candidates
        self._orders = (False, True) if both_orders else (False,)
        self._beginnings: dict[bool, Beginning] = {}

    def weigh(self, dialogues: Sequence[Dialogue]) -> list[WeighedAnswer]:
        """Weigh yes against no as the next word of each of the K talks, by one forward pass per order."""
        by_order = [self._weigh(dialogues, candidate_first) for candidate_first in self._orders]
        return [average(answers) for answers in zip(*by_order, strict=True)]

    def reply(self, dialogues: Sequence[Dialogue], max_tokens: int) -> list[str]:
        """Continue each of the K talks in sentences, the likeliest token at a time."""
        beginning, ends = self._write(dialogues, candidate_first=False)
        replies = self._in_batches(lambda some: self._runner.generate(beginning, some, max_tokens), ends)
        return [self._writer.read(tokens) for tokens in replies.tolist()]

    def _weigh(self, dialogues: Sequence[Dialogue], candidate_first: bool) -> list[WeighedAnswer]:
        beginning, ends = self._write(dialogues, candidate_first)
        columns = [*self._answers.yes, *self._answers.no]
        rows = self._in_batches(lambda some: self._runner.next_token_logprobs(beginning, some)[:, columns], ends)
        split = len(self._answers.yes)
        return [weigh(row[:split], row[split:]) for row in rows.tolist()]

    def _write(self, dialogues: Sequence[Dialogue], candidate_first: bool) -> tuple[Beginning, list[list[Piece]]]:
        conversations = [
            self._writer.write(
                compose(self._style, *dialogue, candidate_first=candidate_first),
                {Shown.QUERY: self._query, Shown.CANDIDATE: candidate},
            )
            for dialogue, candidate in zip(dialogues, self._candidates, strict=True)
        ]
        if candidate_first not in self._beginnings:
            self._beginnings[candidate_first] = self._begin(conversations)
        beginning = self._beginnings[candidate_first]
        return beginning, [pieces[len(beginning.pieces) :] for pieces in conversations]

    def _begin(self, conversations: Sequence[Sequence[Piece]]) -> Beginning:
        """Compute what the conversations share: the instructions, and the query if it comes before the candidates."""
        first = conversations[0]
        instructions = self._runner.begin_with_text(first[:1])
        if len(conversations) == 1:
            return instructions  # one pass over all the rest beats two
        return self._runner.begin(first[1 : first.index(self._candidates[0])], after=instructions)

    def _in_batches(
        self, forward: Callable[[Sequence[list[Piece]]], torch.Tensor], ends: Sequence[list[Piece]]
    ) -> torch.Tensor:
        bounded = BoundedForward(forward, self.max_batch)
        try:
            return bounded(ends)
        finally:
            self.max_batch = bounded.max_batch
