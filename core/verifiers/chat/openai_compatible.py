"""Verifier that uses vLLM, SGLang or other OpenAI-compatible servers: one short request per pair and order.

Texts and photos are in the same order as for the local model. All requests of one query go to one server, whose prefix
cache holds what the candidates share.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

from core.errors import InvalidRequest, NoVerdict
from core.imaging.copies import side_of_pixels
from core.results import Photo, Verdict
from core.runtime.bounded_cache import BoundedCache
from core.runtime.cancellation import cancellable
from core.verifiers.base import ServerState
from core.verifiers.chat.chat_completions import (
    encode_data_uri,
    is_greedy,
    read_text,
    to_messages,
    weigh_first_word,
)
from core.verifiers.chat.chat_server import ChatServer
from core.verifiers.chat.chat_servers import ChatServers
from core.verifiers.prompting.questions import Dialogue, ask_reasons, ask_style, weigh_in_both_orders
from core.verifiers.prompting.replies import WeighedAnswer, read_answer
from core.verifiers.prompting.styles import (
    DEFAULT_STYLE,
    ChoosesStyles,
    PromptStyle,
    Shown,
    Turn,
    compose,
)

ANSWERS_FROM = ("logprobs", "words")

_CACHE_BYTES = 256 * 1024**2  # data URIs of gallery photos, some 100 kB each
_QUERIES_PER_SERVER = 2  # one query's photos are encoded while the other's requests run
_WORD_TOKENS = 16  # an answer word with quotes, asterisks or a label around it

logger = logging.getLogger(__name__)


class OpenAICompatibleVerifier(ChoosesStyles):
    """Verifies pairs with one server, or several servers of one model. Several threads may share it.

    Attributes:
        fingerprint: the server's name of the model, and the settings that change a confidence.
    """

    def __init__(
        self,
        url: str | Sequence[str],
        model: str,
        *,
        api_key: str | None = None,
        prompt_style: str = DEFAULT_STYLE,
        styles_file: str | Path | None = None,
        query_pixels: int = 512 * 512,
        candidate_pixels: int = 512 * 512,
        both_orders: bool = False,
        views_together: int = 1,
        answers_from: str = "logprobs",
        word_confidence: float = 0.9,
        top_logprobs: int = 20,
        concurrency: int = 8,
        timeout_s: float = 60.0,
        request_options: Mapping[str, Any] | None = None,
        proxy: str | None = None,
    ) -> None:
        """Configure the servers and start to check every few seconds whether they answer.

        Args:
            url: of the API, including its version, e.g. ``http://127.0.0.1:8000/v1``; several as a list or separated
                by commas.
            model: the servers' name of the model.
            api_key: sent as a bearer token; whitespace around it is removed.
            prompt_style: the default style of calls.
            styles_file: TOML or JSON with further styles.
            query_pixels: largest size of the query in pixels; larger photos are reduced.
            candidate_pixels: the same for candidates.
            both_orders: also ask about the likeliest candidates, two as a rule, with the photos exchanged, and average.
            views_together: photos of a place that one question shows, 1 to 8, in styles with texts for several; the
                servers must accept one photo more.
            answers_from: ``logprobs`` reads the probabilities of the answer words, and fails if the server returns
                none; ``words`` reads the answer word itself, for servers without probabilities.
            word_confidence: with ``words``, the confidence of a yes; that of a no is 1 minus it.
            top_logprobs: how many likeliest words to request; servers allow 20 at most, some 5.
            concurrency: requests in flight per server, over all calls.
            timeout_s: for one answer; a server gets half of it while another one is left to try.
            request_options: further fields of every request, such as ``{"chat_template_kwargs": {"enable_thinking":
                False}}``; a field with the value None is left out, e.g. ``{"temperature": None}``.
            proxy: URL of an HTTP proxy between this process and the servers; proxy environment variables are ignored.

        Raises:
            InvalidRequest: a setting outside what is accepted.
        """
        if answers_from not in ANSWERS_FROM:
            raise InvalidRequest(f"answers_from is {answers_from!r}; accepted: {', '.join(ANSWERS_FROM)}")
        if not 0.5 < word_confidence <= 1:
            raise InvalidRequest(f"word_confidence is {word_confidence}; accepted: above 0.5 and up to 1")
        positive = {"concurrency": concurrency, "top_logprobs": top_logprobs, "timeout_s": timeout_s}
        positive |= {"query_pixels": query_pixels, "candidate_pixels": candidate_pixels}
        for name, value in positive.items():
            if value <= 0:
                raise InvalidRequest(f"{name} is {value}; accepted: above 0")
        super().__init__(prompt_style, styles_file, views_together)
        urls = [part.strip() for part in url.split(",")] if isinstance(url, str) else list(url)
        servers = [
            ChatServer(address, model, api_key, request_options=request_options, proxy=proxy) for address in urls
        ]
        self._servers = ChatServers(servers, timeout_s=timeout_s, busier_by=concurrency)
        self._pixels = {Shown.QUERY: query_pixels, Shown.CANDIDATE: candidate_pixels}
        self._both_orders = both_orders
        self._word_confidence = word_confidence if answers_from == "words" else None
        self._top_logprobs = top_logprobs
        self._threads = ThreadPoolExecutor(concurrency * len(servers), thread_name_prefix="verifier-request")
        self._data_uris: BoundedCache[str, str] = BoundedCache(_CACHE_BYTES, len)
        self.fingerprint = (
            f"openai-compatible ({model}; {query_pixels}+{candidate_pixels} pixels; {answers_from}"
            f"{'; both orders of the likeliest' if both_orders else ''}{_digest(request_options)}"
            f"; {self._asking})"
        )

    @property
    def servers(self) -> Sequence[ServerState]:
        """The servers; see ``core.verifiers.base.AsksServers``."""
        return self._servers.states

    @property
    def queries_at_once(self) -> int:
        """How many threads should call ``verify`` at the same time."""
        return _QUERIES_PER_SERVER * len(self.servers)

    @property
    def photo_side(self) -> int:
        """Longest side of the query that makes a difference, pixels; see ``core.verifiers.base.TakesReducedPhotos``."""
        return side_of_pixels(self._pixels[Shown.QUERY])

    def verify(
        self, query: Photo, candidates: Sequence[Photo], *, prompt_style: str | None = None, explain: bool = False
    ) -> list[Verdict | None]:
        """Verify all candidates of one query, several requests at a time.

        Args:
            query: the visitor's photo.
            candidates: K >= 0 gallery photos with their views.
            prompt_style: overrides the default style.
            explain: also let the model write its reasons, in a second request per pair.

        Returns:
            K verdicts in the order of ``candidates``; None for a pair that was refused or got an unreadable reply.

        Raises:
            InvalidRequest: unknown prompt style.
            NoVerdict: all pairs were refused or got unreadable replies.
            BackendUnavailable: no server answered, or its replies have no probabilities.
        """
        style = self._chosen(prompt_style)
        if not candidates:
            return []
        return ask_style(style, self._show(style, query, candidates), explain=explain)

    def write_reasons(self, query: Photo, candidate: Photo, *, prompt_style: str | None, is_match: bool) -> str:
        """Let the model write its reasons; see ``core.verifiers.base.WritesReasons``."""
        style = self._chosen(prompt_style)
        return ask_reasons(style, self._show(style, query, [candidate]), is_match=is_match)

    def _show(self, style: PromptStyle, query: Photo, candidates: Sequence[Photo]) -> "_RemotePairs":
        # The query is not cached: it is used once, and would evict gallery photos that are used often.
        shown = self._threads.submit(encode_data_uri, query.reduced(self.photo_side), self._pixels[Shown.QUERY])
        photos = [self._shown(style, candidate) for candidate in candidates]
        uris = self._threads.map(self._encode_candidate, [photo for of_pair in photos for photo in of_pair])
        pairs = [
            {Shown.QUERY: [shown.result()], Shown.CANDIDATE: list(islice(uris, len(of_pair)))} for of_pair in photos
        ]
        query_key = hashlib.sha256(shown.result().encode()).hexdigest()
        return _RemotePairs(
            partial(self._servers.complete, query_key=query_key),
            self._threads,
            style,
            pairs,
            self._both_orders,
            self._top_logprobs,
            self._word_confidence,
        )

    def close(self) -> None:
        """Close the connections and end the threads."""
        self._threads.shutdown(cancel_futures=True)
        self._servers.close()

    def _encode_candidate(self, photo: Photo) -> str:
        known = self._data_uris.get(photo.content_hash) if photo.content_hash else None
        if known is not None:
            return known
        pixels = self._pixels[Shown.CANDIDATE]
        uri = encode_data_uri(photo.reduced(side_of_pixels(pixels)), pixels)
        if photo.content_hash:
            self._data_uris.put(photo.content_hash, uri)
        return uri


@dataclass(frozen=True, slots=True)
class _RemotePairs:
    """The K pairs of one query, asked about in parallel.

    Attributes:
        complete: requests one completion; see ``ChatServers.complete``.
        threads: bound the requests in flight.
        style: the texts around the photos.
        pairs: the photos of every pair as data URIs.
        both_orders: ask about the likeliest pairs with the candidate first too, and average.
        top_logprobs: how many likeliest words to request.
        word_confidence: the confidence of a yes, or None to read probabilities.
    """

    complete: Callable[..., Any]
    threads: ThreadPoolExecutor
    style: PromptStyle
    pairs: Sequence[Mapping[Shown, Sequence[str]]]
    both_orders: bool
    top_logprobs: int
    word_confidence: float | None

    @property
    def shown(self) -> list[int]:
        """Number of photos of every candidate."""
        return [len(pair[Shown.CANDIDATE]) for pair in self.pairs]

    def weigh(self, dialogues: Sequence[Dialogue]) -> list[WeighedAnswer | NoVerdict]:
        """Weigh yes against no as the next word of the K dialogues; see ``VisionLanguageModel.weigh``."""
        if self.both_orders:
            return weigh_in_both_orders(partial(self._weigh_pairs, dialogues), len(dialogues))
        return self._weigh_pairs(dialogues, range(len(dialogues)), False)

    def reply(self, dialogues: Sequence[Dialogue], max_tokens: int) -> list[str | NoVerdict]:
        """Generate the next turn of the K dialogues; see ``VisionLanguageModel.reply``."""
        jobs = [
            (compose(self.style, *dialogue, photos=len(pair[Shown.CANDIDATE])), pair)
            for dialogue, pair in zip(dialogues, self.pairs, strict=True)
        ]
        continue_dialogue = cancellable(partial(self._continue, max_tokens))
        return list(self.threads.map(continue_dialogue, *zip(*jobs, strict=True)))

    def _continue(self, max_tokens: int, turns: Sequence[Turn], pair: Mapping[Shown, Sequence[str]]) -> str | NoVerdict:
        try:
            return read_text(self.complete(to_messages(turns, pair), max_tokens=max_tokens))
        except NoVerdict as failure:
            return failure

    def _weigh_pairs(
        self, dialogues: Sequence[Dialogue], pairs: Sequence[int], candidate_first: bool
    ) -> list[WeighedAnswer | NoVerdict]:
        shown = self.shown
        turns = [
            compose(self.style, *dialogues[pair], photos=shown[pair], candidate_first=candidate_first) for pair in pairs
        ]
        return list(self.threads.map(cancellable(self._weigh_pair), turns, [self.pairs[pair] for pair in pairs]))

    def _weigh_pair(self, turns: Sequence[Turn], pair: Mapping[Shown, Sequence[str]]) -> WeighedAnswer | NoVerdict:
        try:
            return self._ask(to_messages(turns, pair))
        except NoVerdict as failure:
            return failure

    def _ask(self, messages: Sequence[Mapping[str, Any]]) -> WeighedAnswer:
        if self.word_confidence is None:
            body = self.complete(messages, max_tokens=1, logprobs=True, top_logprobs=self.top_logprobs)
            answer = weigh_first_word(body, self.style)
            if is_greedy(body):
                _warn_of_greedy_probabilities()
            return answer
        text = read_text(self.complete(messages, max_tokens=_WORD_TOKENS))
        is_yes = read_answer(text, self.style)
        if is_yes is None:
            raise NoVerdict(f"the reply cannot be read: it is neither yes nor no, but {text[:60]!r}")
        return WeighedAnswer(self.word_confidence if is_yes else 1 - self.word_confidence, mass=1.0)


@cache
def _warn_of_greedy_probabilities() -> None:
    logger.warning(
        "the server gives the word it chose a probability of exactly 1, so that every confidence is 0 or 1; it counts "
        "after choosing, as some do at temperature 0: try request_options with another temperature"
    )


def _digest(request_options: Mapping[str, Any] | None) -> str:
    """Return the fingerprint's part for options that may change a confidence."""
    if not request_options:
        return ""
    text = json.dumps(request_options, sort_keys=True, default=str)
    return f"; request options {hashlib.sha256(text.encode()).hexdigest()[:8]}"
