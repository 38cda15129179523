"""Qwen-VL as verifier: the confidence is the probability of a yes as the model's next word, from one forward pass.

The query and all its candidates are one sequence, and what they share is computed once.
"""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import torch
from PIL import Image

from core.errors import InvalidRequest, NoVerdict
from core.results import Photo, Verdict
from core.runtime.bounded_cache import BoundedCache
from core.runtime.bounded_forward import BatchLimit, naming_what_did_not_fit
from core.runtime.cancellation import raise_if_cancelled
from core.runtime.combining import Combiner
from core.runtime.cores import count_cores
from core.runtime.device_use import DeviceUse
from core.runtime.devices import DeviceChoice, attend_without_plans, choose_device
from core.runtime.model_folder import resolve_model_folder
from core.verifiers import VERIFIERS
from core.verifiers.prompting.questions import ask_reasons, ask_style
from core.verifiers.prompting.styles import DEFAULT_STYLE, ChoosesStyles, PromptStyle
from core.verifiers.qwen.answer_words import AnswerTokens
from core.verifiers.qwen.conversations import ConversationWriter
from core.verifiers.qwen.packed_pass import PackedPass
from core.verifiers.qwen.pair_session import PairSession
from core.verifiers.qwen.qwen_files import NEEDED_FILES, QwenModel, load_qwen
from core.verifiers.qwen.shared_prefix import SharedPrefixRunner
from core.verifiers.qwen.vision_tower import CachedVisionTower
from core.verifiers.qwen.visual_tokens import PixelGrid, VisualTokens, check_token_budget
from core.verifiers.views import as_candidate

DEFAULT_MODEL = "Qwen/Qwen3-VL-8B-Instruct"

_MOST_STYLES = 64
_USUAL_SIZES = ((1024, 768), (768, 1024), (1024, 576), (576, 1024), (768, 768))
_WARM_UP_TOKENS = 2

Answer = TypeVar("Answer")

logger = logging.getLogger(__name__)


class Qwen3VLVerifier(ChoosesStyles):
    """Verifies pairs with a local Qwen3-VL, Qwen2.5-VL or Qwen2-VL.

    Several threads may share one; forward passes run one at a time, and what several threads ask for meanwhile shares
    the next pass. Other candidates and other queries of a pass change a confidence by rounding errors only.

    Attributes:
        fingerprint: names the weights by content, the number format and the settings that change a confidence.
        device: the device in use, and why it was chosen.
        device_use: counts of the passes that give verdicts.
        tower: the vision tower with its cache.
        queries_at_once: how many threads should call ``verify``, so that some prepare photos while one uses the device.
    """

    queries_at_once = 4

    def __init__(
        self,
        model: str | QwenModel = DEFAULT_MODEL,
        *,
        revision: str | None = None,
        device: str = "auto",
        dtype: str = "auto",
        prompt_style: str = DEFAULT_STYLE,
        styles_file: str | Path | None = None,
        query_tokens: int = 256,
        candidate_tokens: int = 256,
        both_orders: bool = False,
        views_together: int = 1,
        max_batch: int = 16,
        cache_bytes: int = 2 * 1024**3,
    ) -> None:
        """Load the model onto the device.

        Args:
            model: a folder, a hub id, or a loaded model, which stays on its device in its number format.
            revision: branch, tag or commit of a hub model.
            device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
            dtype: ``auto`` (bfloat16 on CUDA cards that have it, else float32), ``bfloat16`` or ``float32``.
            prompt_style: the default style of calls.
            styles_file: TOML or JSON with further styles.
            query_tokens: largest size of the query in visual tokens; with Qwen3-VL, one is 32 x 32 pixels.
            candidate_tokens: the same for candidates.
            both_orders: also ask about the likeliest candidates, two as a rule, with the photos exchanged, and average:
                one more pass, less bias by order.
            views_together: photos of a place that one question shows, 1 to 8, in styles with texts for several; each
                within ``candidate_tokens``. One verdict is made from all of them.
            max_batch: candidates, or photos for the vision tower, per forward pass; halved for some minutes when memory
                runs out.
            cache_bytes: main memory for the visual tokens of gallery photos.

        Raises:
            InvalidRequest: a setting outside what is accepted.
            BackendUnavailable: the model cannot be loaded or the device is not available.
        """
        check_token_budget("query_tokens", query_tokens)
        check_token_budget("candidate_tokens", candidate_tokens)
        if max_batch < 1:
            raise InvalidRequest(f"max_batch is {max_batch}; accepted: 1 or more")
        if cache_bytes < 0:
            raise InvalidRequest(f"cache_bytes is {cache_bytes}; accepted: 0 or more")
        super().__init__(prompt_style, styles_file, views_together)
        attend_without_plans()
        if isinstance(model, QwenModel):
            self.device = DeviceChoice(model.network.device, model.network.dtype, f"{model.network.device} as loaded")
        else:
            self.device = choose_device(device, dtype)
            folder = resolve_model_folder(model, alternative=_alternative(), revision=revision, needs=NEEDED_FILES)
            model = load_qwen(folder, self.device)
        self._writer = ConversationWriter(model.tokenizer, self._style)
        self._runner = SharedPrefixRunner(model.network, model.stop_tokens)
        self.tower = CachedVisionTower(model.network, model.cutter, cache_bytes=cache_bytes, max_batch=max_batch)
        self._query_tokens, self._candidate_tokens = query_tokens, candidate_tokens
        self._both_orders = both_orders
        self._limit = BatchLimit(max_batch)
        self._lock = Lock()
        self._loaders = ThreadPoolExecutor(count_cores(), thread_name_prefix="photo-loader")
        self.device_use = DeviceUse(self.device, (self._limit, self.tower.limit))
        answer = self.device_use.counting()(PackedPass(self.tower, self._runner, self._limit).answer)
        self._together = Combiner(answer, self._lock, self.device_use.add_waiting)
        self._answers = lru_cache(_MOST_STYLES)(lambda style: AnswerTokens.of(style, self._writer.encode))
        self._answers(self._style)
        self.fingerprint = (
            f"qwen3-vl ({model.name}; {str(self.device.dtype).removeprefix('torch.')}; "
            f"{query_tokens}+{candidate_tokens} tokens{'; both orders of the likeliest' if both_orders else ''}; "
            f"{self._asking})"
        )
        logger.info("%s on %s", self.fingerprint, self.device.reason)

    @property
    def waiting(self) -> int:
        """Number of queries that are ready for the device and wait for its next pass."""
        return self._together.waiting

    @property
    def photo_side(self) -> int:
        """Longest side of the query that makes a difference, pixels; see ``core.verifiers.base.TakesReducedPhotos``."""
        return self.tower.photo_side(self._query_tokens)

    @property
    def text_network(self) -> torch.nn.Module:
        """The text network, of which benchmarks count the passes."""
        network: torch.nn.Module = self._runner.text_network
        return network

    @property
    def caches(self) -> dict[str, BoundedCache[Any, Any]]:
        """The cache of gallery photos' visual tokens."""
        return {"visual_tokens": self.tower.cache}

    def warm_up(self) -> None:
        """Verify five candidates in every style and in all usual shapes of photos; see ``core.verifiers.base.WarmsUp``.

        Kernels are loaded when they are first needed, and a style's instructions are computed once. Nothing is cached
        of the photos.
        """
        candidates = [Photo(partial(Image.new, "RGB", size, "grey")) for size in _USUAL_SIZES]
        asked_about = [as_candidate(candidates), *candidates[1:]]
        for style in self._styles.values():
            short = replace(style, max_reason_tokens=_WARM_UP_TOKENS)
            # Where this model cannot answer in a style, or not about grey photos, requests in that style say so.
            with suppress(InvalidRequest, NoVerdict):
                answers = self._answers(style)
                for query in candidates if style is self._style else candidates[:1]:
                    self._ask(style, answers, query, asked_about, partial(ask_style, short, explain=False))

    def verify(
        self, query: Photo, candidates: Sequence[Photo], *, prompt_style: str | None = None, explain: bool = False
    ) -> list[Verdict | None]:
        """Verify all candidates of one query together.

        Args:
            query: the visitor's photo.
            candidates: K >= 0 gallery photos with their views; those with a content hash are cached.
            prompt_style: overrides the default style.
            explain: also let the model write its reasons, token by token.

        Returns:
            K verdicts in the order of ``candidates``; None for a pair for which the model answers neither yes nor no.
            ``response`` ends with the likelier answer word; a strict style may reject a likely yes.

        Raises:
            InvalidRequest: unknown prompt style, or its answer words have too many tokens in this vocabulary.
            NoVerdict: no candidate got a verdict.
            OutOfMemory: the query, or a single candidate, did not fit the device.
        """
        style = self._chosen(prompt_style)
        answers = self._answers(style)
        if not candidates:
            return []
        return self._ask(style, answers, query, candidates, partial(ask_style, style, explain=explain))

    def write_reasons(self, query: Photo, candidate: Photo, *, prompt_style: str | None, is_match: bool) -> str:
        """Let the model write its reasons; see ``core.verifiers.base.WritesReasons``."""
        style = self._chosen(prompt_style)
        answers = self._answers(style)
        return self._ask(style, answers, query, [candidate], lambda model: ask_reasons(style, model, is_match=is_match))

    def _ask(
        self,
        style: PromptStyle,
        answers: AnswerTokens,
        query: Photo,
        candidates: Sequence[Photo],
        question: Callable[[PairSession], Answer],
    ) -> Answer:
        """Open a session with the photos and ask a question in it."""
        shown = [self._shown(style, candidate) for candidate in candidates]
        photos = [photo for of_candidate in shown for photo in of_candidate]
        # Decoding and resizing do not need the device, so concurrent calls do them in parallel.
        prepared = self._prepare(query, photos)
        raise_if_cancelled()
        session = PairSession(
            self._runner,
            self._together,
            self._writer,
            style,
            answers,
            prepared,
            [len(of_candidate) for of_candidate in shown],
            looked=lambda tokens: self._keep(photos, prepared[1:], tokens[1:]),
            both_orders=self._both_orders,
            limit=self._limit,
            lock=self._lock,
        )
        with naming_what_did_not_fit("the query did not fit the device's memory; lower query_tokens"):
            return question(session)

    def _keep(
        self,
        photos: Sequence[Photo],
        prepared: Sequence[VisualTokens | PixelGrid],
        shown: Sequence[VisualTokens],
    ) -> None:
        """Cache the gallery photos that were not cached."""
        for photo, before, tokens in zip(photos, prepared, shown, strict=True):
            if isinstance(before, PixelGrid):
                self.tower.keep(photo, self._candidate_tokens, tokens)

    def _prepare(self, query: Photo, photos: Sequence[Photo]) -> list[VisualTokens | PixelGrid]:
        # The query is not cached: it is used once, and would evict gallery photos that are used often.
        tasks = [(replace(query, content_hash=None), self._query_tokens)]
        tasks += [(photo, self._candidate_tokens) for photo in photos]
        return list(self._loaders.map(lambda task: self.tower.prepare(*task), tasks))

    def close(self) -> None:
        """End the threads that load photos."""
        self._loaders.shutdown(cancel_futures=True)


def _alternative() -> str:
    """Name the models and verifiers that can run here instead, for error messages."""
    others = {"geometric": "needs no such model", "openai-compatible": "asks a server"}
    named = [f"{name!r} {what}" for name, what in others.items() if name in VERIFIERS.runnable]
    return f"choose another verifier: {', '.join(named)}" if named else "choose another model"
