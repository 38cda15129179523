"""The README's door to verification: do two photos show the same place?"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from core.errors import InvalidRequest, NoVerdict
from core.imaging.sources import PhotoSource, read_source
from core.results import Photo, Verdict
from core.runtime.one_process import OneProcess
from core.verifiers import VERIFIERS
from core.verifiers.base import Verifier
from core.verifiers.prompting.styles import DEFAULT_STYLE, load_styles

_LOCAL_MODEL, _NO_MODEL = "qwen3-vl", "geometric"
_TAKE_NO_PROMPT = (_NO_MODEL,)

logger = logging.getLogger(__name__)


class LocalM3Verifier:
    """Verifies pairs of photos on this machine, or with an OpenAI-compatible server.

    Example:
        >>> verifier = LocalM3Verifier(prompt_style="simple")
        >>> is_match, response, confidence = verifier.verify_pair("query.jpg", "candidate.jpg")

    Attributes:
        backend: the verifier in use.
        prompt_style: name of the prompt style; backends without prompts ignore it.
    """

    def __init__(
        self,
        prompt_style: str = DEFAULT_STYLE,
        *,
        verifier: str | None = None,
        model: str | None = None,
        device: str = "auto",
        styles_file: str | Path | None = None,
        **options: Any,
    ) -> None:
        """Load the backend.

        Args:
            prompt_style: ``simple``, ``scenic_guide``, ``strict``, ``chinese``, ``detailed``, ``reranker`` or one of
                ``styles_file``.
            verifier: ``qwen3-vl``, ``geometric``, ``openai-compatible`` or ``cascade``. None takes ``qwen3-vl`` if a
                model is named or a CUDA device is there, and else ``geometric``, which needs neither.
            model: folder, hub id, or a server's name of the model; None takes the backend's default.
            device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
            styles_file: TOML or JSON with further prompt styles.
            options: further settings of the backend, such as ``url`` of ``openai-compatible``.

        Raises:
            InvalidRequest: unknown prompt style or setting.
            UnknownBackend: no verifier has this name.
            BackendUnavailable: the backend cannot run here; the message says what to do.
        """
        self._process = OneProcess("LocalM3Verifier")  # first, since it refuses to be pickled
        # Checked for every backend, so that a misspelt style fails on a laptop, not only on the server.
        self.prompt_style = load_styles(styles_file).choose(prompt_style).name
        name = verifier or _choose_verifier(model, device)
        if name in _TAKE_NO_PROMPT:
            if model is not None:
                raise InvalidRequest(f"verifier {name!r} takes no model, and {model!r} was given")
        else:
            options |= {"prompt_style": prompt_style, "styles_file": styles_file}
            options |= {} if model is None else {"model": model}
        options |= {} if device == "auto" else {"device": device}
        self.backend: Verifier = VERIFIERS.create(name, **options)

    def verify_pair(self, query: PhotoSource, candidate: PhotoSource) -> tuple[bool, str, float]:
        """Tell whether two photos show the same place.

        Args:
            query: a file, or the photo itself; see ``read_source``.
            candidate: the same for the gallery photo.

        Returns:
            Whether they match, the backend's response, and its confidence that they match, [0, 1].

        Raises:
            InvalidImage: a photo cannot be read.
            NoVerdict: the reply is neither yes nor no.
            BackendUnavailable: the backend did not answer.
        """
        (verdict,) = self.verify(query, [candidate])
        if verdict is None:
            raise NoVerdict("the pair got no verdict")
        return verdict.is_match, verdict.response, verdict.confidence

    def verify(
        self, query: PhotoSource, candidates: Sequence[PhotoSource], *, explain: bool = False
    ) -> list[Verdict | None]:
        """Verify all candidates of one query together, which is much faster than pair by pair.

        Args:
            query: a file, or the photo itself; see ``read_source``.
            candidates: K >= 0 of the same.
            explain: ask for the reasons as well; slower.

        Returns:
            K verdicts in the order of ``candidates``; None for a pair without a verdict, for example if a server
            refuses its photo.

        Raises:
            NoVerdict: there are candidates, and no pair got a verdict.
        """
        self._process.check()
        photos = [_photo(candidate) for candidate in candidates]
        return list(self.backend.verify(_photo(query), photos, explain=explain))

    def close(self) -> None:
        """Stop the threads of the backend, if it has any."""
        close = getattr(self.backend, "close", None)
        if close is not None:
            close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _choose_verifier(model: str | None, device: str) -> str:
    if model is not None:
        return _LOCAL_MODEL
    # Here, because torch takes a second to import and a named verifier may not need it.
    from core.runtime.devices import choose_device

    chosen = choose_device(device)
    name = _LOCAL_MODEL if chosen.is_cuda else _NO_MODEL
    logger.info("verifier %s: no verifier or model was named, and this runs on %s", name, chosen.reason)
    return name


def _photo(source: PhotoSource) -> Photo:
    # Decoded at once, so that a bad file is reported before a model runs.
    image, content_hash = read_source(source)
    return Photo(lambda: image, content_hash=content_hash)
