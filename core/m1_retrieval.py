"""M1GlobalRetrieval: the README's door to retrieval, for scripts and notebooks."""

import logging
from numbers import Integral
from pathlib import Path
from typing import Any, Self

from core.encoders import ENCODERS
from core.encoders.base import Encoder
from core.errors import EncoderMismatch, InvalidRequest
from core.gallery import DEFAULT_COLLECTION, Gallery, Storage
from core.gallery.database.manifest import refuse_other_encoder
from core.gallery.storage import LOCAL
from core.imaging.decoding import LONGEST_SIDE
from core.imaging.sources import PhotoSource, read_source
from core.results import EncoderFingerprint
from core.retrieval.exclusion import ExcludingGallery, Exclusion
from core.retrieval.retriever import TIME_BUDGET_S, FeatureExtractor, Retrieved, Retriever
from core.retrieval.second_features import open_second_extractor
from core.runtime.devices import device_of
from core.runtime.one_process import OneProcess

logger = logging.getLogger(__name__)


class M1GlobalRetrieval:
    """Finds the gallery images most likely to show the place of a query photo.

    >>> retrieval = M1GlobalRetrieval(device="cuda")
    >>> retrieval.load_index(Path("data/gallery"))
    >>> retrieval.query("photo.jpg", top_k=5)
    [{"path": "…", "place_id": "…", "similarity": 0.83, "rank": 1, …}, …]
    """

    def __init__(
        self,
        device: str = "cuda",
        *,
        encoder: str | None = None,
        time_budget_s: float = TIME_BUDGET_S,
        **options: Any,
    ) -> None:
        """Choose the models; nothing is loaded before ``load_index``.

        Args:
            device: ``cuda``, ``cuda:N``, ``cpu`` or ``auto``. Without a GPU, ``cuda`` runs on the CPU and says so in
                the log. The embedded encoder always runs on the CPU.
            encoder: name of the encoder; None takes the one that made the gallery.
            time_budget_s: of one query; after that it is not looked at again.
            options: for the encoder, e.g. ``model="/models/dinov3"``.
        """
        self._process = OneProcess("M1GlobalRetrieval")  # first, since it refuses to be pickled
        self._device = device
        self._encoder_name = encoder
        self._options = options
        self._time_budget_s = time_budget_s
        self._gallery: Gallery | None = None
        self._encoder: Encoder | None = None
        self._second: FeatureExtractor | None = None

    def load_index(self, folder: Path | str, *, storage: Storage = LOCAL) -> None:
        """Open a gallery made by ``scripts/build_database.py`` or by the service, and load its encoder.

        Args:
            folder: the gallery's.
            storage: where its rows and photos are kept, if not there.

        Raises:
            GalleryUnavailable: there is no readable gallery in that folder.
            EncoderMismatch: another encoder made it; the message says how to rebuild.
            BackendUnavailable: the encoder's weights cannot be had.
        """
        gallery = Gallery.open(Path(folder), None, read_only=True, storage=storage)
        try:
            name = self._encoder_name or gallery.fingerprint.name
            if name == "dinov3" and "model" not in self._options:
                _refuse_other_default(gallery.fingerprint)
            encoder = create_encoder(name, self._device, **self._options)
            refuse_other_encoder(gallery.fingerprint, encoder.fingerprint)
            second = open_second_extractor(gallery.fingerprint, device_of(encoder))
        except BaseException:
            gallery.close()
            raise
        self.close()
        self._gallery, self._encoder, self._second = gallery, encoder, second
        self._process = OneProcess("M1GlobalRetrieval")

    def query(self, path: PhotoSource, top_k: int = 5, *, collection: str = DEFAULT_COLLECTION) -> list[dict[str, Any]]:
        """Find candidates for one photo.

        Args:
            path: of the query photo, in any accepted format; or the photo itself, see ``read_source``.
            top_k: how many candidates, >= 1, each of another place while places last.
            collection: where to search.

        Returns:
            Best first: ``path``, ``id``, ``place_id``, ``place_name``, ``similarity`` (cosine, [-1, 1]) and ``rank``.

        Raises:
            InvalidImage: it is not a readable photo.
            InvalidRequest: ``top_k`` < 1, or no index is loaded.
            GalleryUnavailable: the photo of a candidate is missing.
        """
        candidates = self.retrieve(path, top_k, collection=collection).candidates
        for candidate in candidates:
            self.gallery.fetch_original(candidate.image)
        return [candidate.as_dict() for candidate in candidates]

    def retrieve(
        self,
        image: PhotoSource,
        top_k: int = 5,
        *,
        collection: str = DEFAULT_COLLECTION,
        exclusion: Exclusion | None = None,
    ) -> Retrieved:
        """Find candidates for a photo; the query's local features come along for a verifier. Errors as ``query``."""
        if not isinstance(top_k, Integral) or top_k < 1:
            raise InvalidRequest(f"top_k is {top_k!r}; accepted: a whole number from 1 on")
        image, _ = read_source(image, max_side=self._encoder.photo_side if self._encoder else LONGEST_SIDE)
        gallery, encoder = self._loaded()
        encodings = encoder.encode([image])
        searched = ExcludingGallery(gallery, exclusion) if exclusion else gallery
        retriever = Retriever(searched, encoder.look_again, second=self._second, time_budget_s=self._time_budget_s)
        return retriever.retrieve(image, encodings.embeddings[0], encodings.local_features[0], collection, int(top_k))

    @property
    def gallery(self) -> Gallery:
        """The open gallery."""
        return self._loaded()[0]

    def close(self) -> None:
        """Close the gallery, if one is open."""
        if self._gallery is not None:
            self._gallery.close()
        self._gallery = self._encoder = self._second = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _loaded(self) -> tuple[Gallery, Encoder]:
        if self._gallery is None or self._encoder is None:
            raise InvalidRequest("no index is loaded; call load_index(folder) first")
        self._process.check()
        return self._gallery, self._encoder


def _refuse_other_default(recorded: EncoderFingerprint) -> None:
    """Refuse before some gigabytes are fetched that are of no use."""
    # Here, because torch takes a second to import.
    from core.encoders.dinov3 import DEFAULT_MODEL, DEFAULT_SIZE

    if not recorded.weights.startswith(f"{DEFAULT_SIZE} "):
        raise EncoderMismatch(
            f"the gallery was made by {recorded}, and no model is named, which means {DEFAULT_MODEL}; give the "
            'gallery\'s own, e.g. M1GlobalRetrieval(model="/models/dinov2")'
        )


def create_encoder(name: str, device: str = "auto", **options: Any) -> Encoder:
    """Create an encoder by name, on the CPU where the device asked for is not there.

    Raises:
        UnknownBackend: no such encoder.
        BackendUnavailable: its weights cannot be had.
    """
    if name == "embedded":
        logger.info("the embedded encoder runs on the CPU")
        return ENCODERS.create(name, **options)
    import torch

    if device.startswith("cuda") and not torch.cuda.is_available():
        logger.warning("device %s was requested, but no CUDA device is visible: running on the CPU", device)
        device = "cpu"
    return ENCODERS.create(name, device=device, **options)
