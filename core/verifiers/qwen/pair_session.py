"""One query and its K candidates in a local Qwen-VL, asked about together."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import accumulate
from threading import Lock

import torch

from core.errors import NoVerdict
from core.runtime.bounded_forward import BatchLimit, BoundedForward
from core.verifiers.prompting.questions import Dialogue, weigh_in_both_orders
from core.verifiers.prompting.replies import WeighedAnswer, require_mass, weigh
from core.verifiers.prompting.styles import PromptStyle, Shown, compose
from core.verifiers.qwen.answer_words import AnswerTokens, Tokens
from core.verifiers.qwen.conversations import ConversationWriter, Piece
from core.verifiers.qwen.packed_pass import Answer, Question, Segment, Weighing
from core.verifiers.qwen.shared_prefix import Beginning, SharedPrefixRunner
from core.verifiers.qwen.visual_tokens import PixelGrid, VisualTokens


class PairSession:
    """Asks about K pairs at once.

    Attributes:
        shown: number of photos of every candidate.
    """

    def __init__(
        self,
        runner: SharedPrefixRunner,
        ask: Callable[[Question], Answer],
        writer: ConversationWriter,
        style: PromptStyle,
        answers: AnswerTokens,
        photos: Sequence[VisualTokens | PixelGrid],
        shown: Sequence[int],
        *,
        looked: Callable[[Sequence[VisualTokens]], None],
        both_orders: bool,
        limit: BatchLimit,
        lock: Lock,
    ) -> None:
        """Set the session's photos and style.

        Args:
            runner: generates replies.
            ask: asks the device; see ``core.verifiers.qwen.packed_pass``.
            writer: writes conversations as tokens.
            style: the texts around the photos.
            answers: tokens of the style's answer words.
            photos: the visitor's photo, and those of the K >= 1 candidates.
            shown: number of photos of every candidate, K numbers >= 1.
            looked: called with the tokens of all photos as soon as they are known.
            both_orders: weigh the likeliest pairs with the candidate first too, and average.
            limit: of conversations per forward pass.
            lock: held while the runner runs.
        """
        self._runner = runner
        self._ask = ask
        self._writer = writer
        self._style = style
        self._answers = answers
        self._photos = photos
        self.shown = shown
        self._looked = looked
        self._both_orders = both_orders
        self._limit = limit
        self._lock = lock

    def weigh(self, dialogues: Sequence[Dialogue]) -> list[WeighedAnswer | NoVerdict]:
        """Weigh yes against no as the next word of the K dialogues, by one forward pass per order."""
        if self._both_orders:
            return weigh_in_both_orders(partial(self._weigh, dialogues), len(dialogues))
        return self._weigh(dialogues, range(len(dialogues)), False)

    def reply(self, dialogues: Sequence[Dialogue], max_tokens: int) -> list[str]:
        """Generate the next turn of the K dialogues by greedy decoding."""
        photos = self._submit(lambda _: ()).photos
        conversations = self._write(photos, dialogues, range(len(dialogues)), candidate_first=False)
        shared = _shared(conversations)
        with self._lock, torch.inference_mode():
            instructions = self._runner.begin_with_text(conversations[0][:1])
            beginning = self._runner.begin(conversations[0][1:shared], after=instructions)
            replies = self._generate(beginning, [pieces[shared:] for pieces in conversations], max_tokens)
        return [self._writer.read(tokens) for tokens in replies.tolist()]

    def _weigh(
        self, dialogues: Sequence[Dialogue], pairs: Sequence[int], candidate_first: bool
    ) -> list[WeighedAnswer | NoVerdict]:
        asked: list[tuple[list[int], Weighing]] = []

        def ask_about(photos: Sequence[VisualTokens]) -> Sequence[Weighing]:
            conversations = self._write(photos, dialogues, pairs, candidate_first=candidate_first)
            # With the candidate first, its label is part of the first text, and differs by the number of its photos.
            by_text: dict[Piece, list[int]] = {}
            for number, pieces in enumerate(conversations):
                by_text.setdefault(pieces[0], []).append(number)
            asked[:] = [
                (numbers, self._weighing([conversations[number] for number in numbers])) for numbers in by_text.values()
            ]
            return [weighing for _, weighing in asked]

        weighed = self._submit(ask_about).logprobs
        answers: dict[int, WeighedAnswer | NoVerdict] = {}
        for (numbers, weighing), logprobs in zip(asked, weighed, strict=True):
            answers.update(zip(numbers, self._read(logprobs, weighing), strict=True))
        return [answers[number] for number in range(len(pairs))]

    def _submit(self, weighings: Callable[[Sequence[VisualTokens]], Sequence[Weighing]]) -> Answer:
        answer = self._ask(Question(self._photos, weighings))
        if answer.photos is not self._photos and any(isinstance(photo, PixelGrid) for photo in self._photos):
            self._looked(answer.photos)
        self._photos = answer.photos
        return answer

    def _write(
        self,
        photos: Sequence[VisualTokens],
        dialogues: Sequence[Dialogue],
        pairs: Sequence[int],
        *,
        candidate_first: bool,
    ) -> list[list[Piece]]:
        query, *others = photos
        ends = list(accumulate(self.shown))
        return [
            self._writer.write(
                compose(self._style, *dialogues[pair], photos=self.shown[pair], candidate_first=candidate_first),
                {Shown.QUERY: [query], Shown.CANDIDATE: others[ends[pair] - self.shown[pair] : ends[pair]]},
            )
            for pair in pairs
        ]

    def _generate(self, beginning: Beginning, ends: Sequence[list[Piece]], max_tokens: int) -> torch.Tensor:
        forward = BoundedForward[list[Piece]](
            lambda some: self._runner.generate(beginning, some, max_tokens), self._limit
        )
        return forward(ends)

    def _weighing(self, conversations: Sequence[Sequence[Piece]]) -> Weighing:
        """Ask for the answer words' tokens behind every conversation and every beginning of a word."""
        ends = _ends(conversations, _shared(conversations))
        return Weighing(
            conversations[0][0],
            tuple(Segment((begun,), end) if begun else end for end in ends for begun in self._answers.beginnings()),
            tuple({token for word in (*self._answers.yes, *self._answers.no) for token in word}),
        )

    def _read(self, logprobs: torch.Tensor, weighing: Weighing) -> list[WeighedAnswer | NoVerdict]:
        begun = self._answers.beginnings()
        rows = [dict(zip(weighing.tokens, row, strict=True)) for row in logprobs.tolist()]
        return [
            self._answer(dict(zip(begun, rows[start : start + len(begun)], strict=True)))
            for start in range(0, len(rows), len(begun))
        ]

    def _answer(self, following: Mapping[Tokens, Mapping[int, float]]) -> WeighedAnswer | NoVerdict:
        yes, no = ([_logprob(word, following) for word in words] for words in (self._answers.yes, self._answers.no))
        try:
            answer = weigh(yes, no)
            return answer if self._style.exact_words else require_mass(answer)
        except NoVerdict as failure:
            return failure


def _shared(conversations: Sequence[Sequence[Piece]]) -> int:
    """Number of pieces that all conversations have in common: the instructions, and the query if it comes first."""
    first, *others = conversations
    return next((number for number, piece in enumerate(first) if any(other[number] != piece for other in others)), 1)


def _ends(conversations: Sequence[Sequence[Piece]], shared: int) -> list[Segment]:
    """Divide conversations behind the instructions into what all share and their ends."""
    query = Segment(tuple(conversations[0][1:shared])) if shared > 1 else None
    return [Segment(tuple(pieces[shared:]), query) for pieces in conversations]


def _logprob(word: Tokens, following: Mapping[Tokens, Mapping[int, float]]) -> float:
    """Log-probability of a word: the sum over its tokens, given the tokens before them."""
    return sum(following[word[:number]][token] for number, token in enumerate(word))
