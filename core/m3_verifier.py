"""The README's door to verification: do two photos show the same place?"""

import logging
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
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
    """Verifies pairs of photos on this machine, or through a server of one's own.

    Example:
        >>> verifier = LocalM3Verifier(prompt_style="simple")
        >>> is_match, response, confidence = verifier.verify_pair("query.jpg", "candidate.jpg")

    Attributes:
        backend: the verifier that answers.
        prompt_style: what it is asked, where it is asked in words.
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
            prompt_style: ``simple``, ``scenic_guide``, ``strict``, ``chinese``, ``detailed`` or one of ``styles_file``.
            verifier: ``qwen3-vl``, ``geometric``, ``openai-compatible`` or ``cascade``. None takes ``qwen3-vl`` if a
                model is named or a CUDA device is there, and else ``geometric``, which needs neither.
            model: folder, hub id, or the name under which a server offers it; None takes the backend's default.
            device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
            styles_file: TOML or JSON with prompt styles of one's own.
            options: further settings of the backend, such as ``url`` of ``openai-compatible``.

        Raises:
            InvalidRequest: unknown prompt style or setting.
            UnknownBackend: no verifier of that name.
            BackendUnavailable: the backend cannot work here; the message says what to do.
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
        """Say whether two photos show the same place.

        Args:
            query: a file, or the photo itself; see ``read_source``.
            candidate: likewise.

        Returns:
            Whether they match; the backend's own words or numbers; and its confidence that they do, [0, 1].

        Raises:
            InvalidImage: one cannot be read as a photo.
            NoVerdict: the reply is neither yes nor no.
            BackendUnavailable: no reply could be had.
        """
        (verdict,) = self.verify(query, [candidate])
        if verdict is None:
            raise NoVerdict("the pair could not be judged")
        return verdict.is_match, verdict.response, verdict.confidence

    def verify(
        self, query: PhotoSource, candidates: Sequence[PhotoSource], *, explain: bool = False
    ) -> list[Verdict | None]:
        """Judge all candidates of one query together, which costs far less than pair by pair.

        Args:
            query: a file, or the photo itself; see ``read_source``.
            candidates: likewise, K >= 0 of them.
            explain: ask for the reasons as well; slower.

        Returns:
            K verdicts in the order of ``candidates``; None for one that could not be judged, as where a server refuses
            its photo.

        Raises:
            NoVerdict: there are candidates, and none could be judged.
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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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
