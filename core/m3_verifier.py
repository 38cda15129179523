"""The README's door to verification: do two photos show the same place?"""

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from core.errors import InvalidRequest
from core.imaging.decoding import decode_image, read_photo
from core.results import Photo, Verdict
from core.verifiers import VERIFIERS
from core.verifiers.base import Verifier
from core.verifiers.prompting.styles import DEFAULT_STYLE, load_styles

PhotoSource = str | Path | Image.Image

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
            query: a file, or a picture already opened.
            candidate: likewise.

        Returns:
            Whether they match; the backend's own words or numbers; and its confidence that they do, [0, 1].

        Raises:
            InvalidImage: a file cannot be read as a photo.
        """
        (verdict,) = self.verify(query, [candidate])
        return verdict.is_match, verdict.response, verdict.confidence

    def verify(self, query: PhotoSource, candidates: Sequence[PhotoSource], *, explain: bool = False) -> list[Verdict]:
        """Judge all candidates of one query together, which costs far less than pair by pair.

        Args:
            query: a file, or a picture already opened.
            candidates: likewise, K >= 0 of them.
            explain: ask for the reasons as well; slower.

        Returns:
            K verdicts in the order of ``candidates``.
        """
        return self.backend.verify(_photo(query), [_photo(candidate) for candidate in candidates], explain=explain)


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
    if isinstance(source, Image.Image):
        upright = ImageOps.exif_transpose(source).convert("RGB")
        return Photo(lambda: upright)
    data = read_photo(Path(source))
    # Decoded at once, so that a bad file is reported before a model runs.
    image = decode_image(data).image
    return Photo(lambda: image, content_hash=hashlib.sha256(data).hexdigest())
