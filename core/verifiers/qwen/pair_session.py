"""One query and its K candidates in a local Qwen-VL, asked about together."""

from collections.abc import Callable, Mapping, Sequence

import torch

from core.errors import NoVerdict
from core.runtime.bounded_forward import BoundedForward
from core.verifiers.prompting.questions import Dialogue
from core.verifiers.prompting.replies import WeighedAnswer, average, require_mass, weigh
from core.verifiers.prompting.styles import PromptStyle, Shown, compose
from core.verifiers.qwen.answer_words import AnswerTokens, Tokens
from core.verifiers.qwen.conversations import ConversationWriter, Piece
from core.verifiers.qwen.shared_prefix import Beginning, SharedPrefixRunner
from core.verifiers.qwen.visual_tokens import VisualTokens


class PairSession:
    """Asks about K pairs at once. The common prefix of the K conversations is computed once per session.

    Attributes:
        max_batch: conversations per forward pass; reduced when memory runs out.
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
        """Set the session's photos and style.

        Args:
            runner: runs the network.
            writer: writes conversations as tokens.
            style: the texts around the photos.
            answers: tokens of the style's answer words.
            query: the visitor's photo.
            candidates: K >= 1 gallery photos.
            both_orders: weigh with the query first and with the candidate first, and average.
            max_batch: initial number of conversations per forward pass.
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

    def weigh(self, dialogues: Sequence[Dialogue]) -> list[WeighedAnswer | NoVerdict]:
        """Weigh yes against no as the next word of the K dialogues, by one forward pass per order.

        Answer words of several tokens need one more pass per prefix.
        """
        by_order = [self._weigh(dialogues, candidate_first) for candidate_first in self._orders]
        return [average(answers) for answers in zip(*by_order, strict=True)]

    def reply(self, dialogues: Sequence[Dialogue], max_tokens: int) -> list[str]:
        """Generate the next turn of the K dialogues by greedy decoding."""
        beginning, ends = self._write(dialogues, candidate_first=False)
        replies = self._in_batches(lambda some: self._runner.generate(beginning, some, max_tokens), ends)
        return [self._writer.read(tokens) for tokens in replies.tolist()]

    def _weigh(self, dialogues: Sequence[Dialogue], candidate_first: bool) -> list[WeighedAnswer | NoVerdict]:
        beginning, ends = self._write(dialogues, candidate_first)
        following: dict[Tokens, torch.Tensor] = {}
        for prefix in self._answers.beginnings():
            begun = [[*pieces, prefix] for pieces in ends] if prefix else ends
            following[prefix] = self._in_batches(lambda some: self._runner.next_token_logprobs(beginning, some), begun)
        yes, no = (
            torch.stack([_logprob(tokens, following) for tokens in answers], dim=1).tolist()
            for answers in (self._answers.yes, self._answers.no)
        )
        return [_answer(*pair) for pair in zip(yes, no, strict=True)]

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
        """Compute the common prefix: the instructions, and the query if it comes before the candidates."""
        first = conversations[0]
        instructions = self._runner.begin_with_text(first[:1])
        if len(conversations) == 1:
            return instructions  # one pass over all the rest is faster than two
        return self._runner.begin(first[1 : first.index(self._candidates[0])], after=instructions)

    def _in_batches(
        self, forward: Callable[[Sequence[list[Piece]]], torch.Tensor], ends: Sequence[list[Piece]]
    ) -> torch.Tensor:
        bounded = BoundedForward(forward, self.max_batch)
        try:
            return bounded(ends)
        finally:
            self.max_batch = bounded.max_batch


def _logprob(tokens: Tokens, following: Mapping[Tokens, torch.Tensor]) -> torch.Tensor:
    """Log-probability of a word, [K]: the sum over its tokens, given the tokens before them."""
    steps = [following[tokens[:number]][:, token] for number, token in enumerate(tokens)]
    return torch.stack(steps).sum(dim=0)


def _answer(yes: Sequence[float], no: Sequence[float]) -> WeighedAnswer | NoVerdict:
    try:
        return require_mass(weigh(yes, no))
    except NoVerdict as failure:
        return failure
