"""DINOv3 and DINOv2 vision transformers as encoders, loaded through transformers.

The embedding's width is whatever the loaded model has: 1280 for DINOv3 ViT-H/16+, 1536 for DINOv2-giant. DINO itself
has no local features; XFeat can make them beside it, so that retrieval can answer without a verifier.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from core.encoders import ENCODERS
from core.encoders.cuda_graphs import CudaRecorder, GraphedNetwork
from core.encoders.pooling import POOLINGS, Pooling, pool
from core.encoders.preprocess import OFFICIAL_PROCESSORS, preprocessing_of
from core.errors import BackendUnavailable, InvalidRequest
from core.results import EncoderFingerprint, Encodings, LocalFeatures, Look
from core.runtime.bounded_forward import BoundedForward, naming_what_did_not_fit
from core.runtime.device_use import DeviceUse
from core.runtime.devices import DeviceChoice, attend_without_plans, choose_device
from core.runtime.model_files import (
    PROCESSOR_FILES,
    check_whole,
    digest_of_files,
    read_json,
    read_processor,
)
from core.runtime.model_folder import resolve_model_folder
from core.runtime.network_digest import network_digest

if TYPE_CHECKING:
    from core.local_features.xfeat import XFeatExtractor

DEFAULT_MODEL = "facebook/dinov3-vith16plus-pretrain-lvd1689m"
DEFAULT_SIZE = "dinov3_vit-1280x32"
"""Prefix of the default model's fingerprint."""
ACCELERATIONS = ("auto", "none", "graphs", "compile")

_MODEL_TYPES = ("dinov3_vit", "dinov2", "dinov2_with_registers")

logger = logging.getLogger(__name__)


class DinoV3Encoder:
    """Embeds photos with a DINO ViT of any size. Several threads may share one; forward passes run one at a time.

    Attributes:
        fingerprint: names the weights by content, so that the same weights from a hub, a mirror or a folder, in
            bfloat16 or float32, are one embedding space.
        device: where it runs and why.
        device_use: counts of its passes.
        preprocessing: how photos become pixels.
        photo_side: see ``core.encoders.base.Encoder``.
    """

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        *,
        revision: str | None = None,
        device: str = "auto",
        dtype: str = "auto",
        input_size: int | None = None,
        aspect: str = "auto",
        pooling: str = "cls",
        max_batch: int = 32,
        acceleration: str = "auto",
        local_features: bool = False,
    ) -> None:
        """Load the weights onto the device.

        Args:
            model: a folder or a hub id of a DINOv3 ViT or a DINOv2 (with or without registers) of any size.
            revision: branch, tag or commit of a hub model.
            device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
            dtype: ``auto`` (bfloat16 on CUDA cards that have it, else float32), ``bfloat16`` or ``float32``.
            input_size: pixels, a multiple of the patch size; None is the model's own (224).
            aspect: ``auto`` (the model's own), ``squash``, ``crop`` or ``pad``; see ``Preprocessing``.
            pooling: ``cls``, ``gem`` or ``cls+gem``.
            max_batch: photos per forward pass; halved for some minutes when memory runs out.
            acceleration: ``auto`` (``graphs`` on CUDA, ``none`` on the CPU), ``graphs``, ``compile`` (graphs of a
                compiled network: minutes at start; without a C compiler the same as ``graphs``) or ``none``.
            local_features: also make XFeat features of every photo, on the same device.

        Raises:
            InvalidRequest: a setting outside what is accepted.
            BackendUnavailable: the model cannot be loaded or the device is not available.
        """
        chosen_pooling: Pooling | None = next((known for known in POOLINGS if known == pooling), None)
        if chosen_pooling is None:
            raise InvalidRequest(f"unknown pooling: {pooling!r}; accepted: {', '.join(POOLINGS)}")
        if max_batch < 1:
            raise InvalidRequest(f"max_batch is {max_batch}; accepted: 1 or more")
        self.device = choose_device(device, dtype)
        attend_without_plans()
        folder = resolve_model_folder(model, alternative=_alternative(), revision=revision, needs=(PROCESSOR_FILES,))
        backbone = _load_backbone(folder, self.device)
        config: Any = backbone.config
        self.preprocessing = preprocessing_of(
            read_processor(folder) or OFFICIAL_PROCESSORS[config.model_type],
            patch=_square_patch(config),
            input_size=input_size,
            aspect=aspect,
        )
        self.photo_side = self.preprocessing.photo_side
        network = _PooledBackbone(backbone, chosen_pooling)
        fixed_shape = self.preprocessing.aspect != "pad"
        self._network = _accelerate(network, acceleration, self.device, max_batch, fixed_shape=fixed_shape)
        if isinstance(self._network, GraphedNetwork):
            side = self.preprocessing.input_size
            with torch.inference_mode():
                self._network.record_all(
                    torch.zeros(1, 3, side, side, device=self.device.device, dtype=self.device.dtype)
                )
        self._extractor = _xfeat(self.device) if local_features else None
        self._forward = BoundedForward(self._encode_batch, max_batch)
        graphed = self._network if isinstance(self._network, GraphedNetwork) else None
        self.device_use = DeviceUse(
            self.device, (self._forward.limit,), lambda: 0 if graphed is None else graphed.recorded
        )
        self._lock = Lock()
        size, earlier = f"{config.model_type}-{config.hidden_size}x{config.num_hidden_layers}", digest_of_files(folder)
        self.fingerprint = EncoderFingerprint(
            name="dinov3",
            weights=f"{size} {network_digest(backbone)}",
            preprocessing=f"{self.preprocessing} {pooling}",
            dim=network.dim,
            earlier_weights=earlier and f"{size} {earlier}",
        )
        logger.info("%s on %s", self.fingerprint, self.device.reason)

    def encode(self, images: Sequence[Image.Image]) -> Encodings:
        """Embed upright RGB photos of any size.

        Args:
            images: N >= 1 photos.

        Returns:
            float32 [N, D]. The other photos of a batch change a photo's vector only by rounding: below 1e-5 per
            component in float32, cosine above 0.999 in bfloat16.

        Raises:
            OutOfMemory: not even one photo fitted the device.
        """
        embeddings = np.empty((len(images), self.fingerprint.dim), dtype=np.float32)
        for rows in self._rows_by_shape(images):
            vectors = self._forward([images[row] for row in rows])
            embeddings[rows] = vectors.cpu().numpy()
        with naming_what_did_not_fit("a photo's local features did not fit the device's memory; do without them"):
            local = [None if self._extractor is None else self._extractor.extract(image) for image in images]
        return Encodings(embeddings, tuple(local))

    def look_again(self, image: Image.Image, first: LocalFeatures) -> Iterator[Look]:  # noqa: ARG002 - of the port
        """Return no further views: a verifier that reads photos needs none."""
        return iter(())

    def _rows_by_shape(self, images: Sequence[Image.Image]) -> list[list[int]]:
        """Group the photos that become tensors of one shape and so can share a batch."""
        rows: dict[tuple[int, int], list[int]] = {}
        for row, image in enumerate(images):
            rows.setdefault(self.preprocessing.output_size(image.width, image.height), []).append(row)
        return list(rows.values())

    @torch.inference_mode()
    def run_network(self, pixels: torch.Tensor) -> torch.Tensor:
        """Run preprocessed photos as one batch: [n, 3, H, W] on the device to float32 [n, D], rows of L2 norm 1."""
        asked = time.perf_counter()
        with self._lock:
            self.device_use.add_waiting(time.perf_counter() - asked)
            with self.device_use.counting():
                return self._network(pixels.to(self.device.dtype))

    @torch.inference_mode()
    def _encode_batch(self, images: Sequence[Image.Image]) -> torch.Tensor:
        return self.run_network(
            torch.stack([self.preprocessing.to_tensor(image, self.device.device) for image in images])
        )


class _PooledBackbone(torch.nn.Module):
    """A backbone and its pooling as one network, so that a graph records both: [n, 3, H, W] to float32 [n, D]."""

    def __init__(self, backbone: torch.nn.Module, pooling: Pooling) -> None:
        super().__init__()
        self.backbone = backbone
        self.pooling = pooling
        config: Any = backbone.config
        self.prefix = 1 + int(getattr(config, "num_register_tokens", 0))
        self.dim = int(config.hidden_size) * (2 if pooling == "cls+gem" else 1)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return pool(self.backbone(pixel_values=pixels).last_hidden_state, self.prefix, self.pooling)


def _xfeat(device: DeviceChoice) -> "XFeatExtractor":
    # Here, because an installation for DINO alone may lack the package.
    from core.local_features.xfeat import XFeatExtractor

    return XFeatExtractor(device.device)


def _alternative() -> str:
    """Name the models and encoders that can run here instead, for error messages."""
    other = ", or the encoder 'embedded'" if "embedded" in ENCODERS.runnable else ""
    return f"choose a model that is not gated, such as facebook/dinov2-giant{other}"


def _load_backbone(folder: Path, device: DeviceChoice) -> torch.nn.Module:
    """Load the network onto the device, every weight from the files."""
    # Here, because transformers takes seconds to import.
    from safetensors import SafetensorError
    from transformers import AutoConfig, AutoModel

    config = read_json(folder / "config.json")
    kind = config.get("model_type")
    if kind not in _MODEL_TYPES:
        what = f"{kind!r}" if kind else "model of timm's" if "pretrained_cfg" in config else "model of no named type"
        raise BackendUnavailable(f"the model in {folder} is a {what}; this encoder runs {', '.join(_MODEL_TYPES)}")
    check_whole(folder)
    try:
        backbone, report = AutoModel.from_pretrained(
            folder,
            config=AutoConfig.from_pretrained(folder, local_files_only=True),
            dtype=device.dtype,
            device_map={"": device.device},  # read tensor by tensor to where they are used
            # A configuration may name an attention library that is not installed; PyTorch's own gives the same vectors.
            attn_implementation="sdpa",
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, ImportError, SafetensorError) as error:
        raise BackendUnavailable(f"the model in {folder} cannot be loaded: {error}") from error
    # transformers fills missing weights with random numbers; the vectors would look right and be meaningless.
    missing = sorted(name for name in report["missing_keys"] if "mask_token" not in name)
    if missing:
        raise BackendUnavailable(
            f"the model in {folder} lacks {len(missing)} weights, e.g. {missing[0]}; fetch it again"
        )
    loaded: torch.nn.Module = backbone.eval().requires_grad_(False)
    return loaded


def _square_patch(config: Any) -> int:
    """Side of a patch in pixels."""
    sides = set(np.atleast_1d(config.patch_size).tolist())
    if len(sides) != 1:
        raise BackendUnavailable(f"the model has patches of {config.patch_size} pixels; this encoder runs square ones")
    return int(sides.pop())


def _accelerate(
    network: _PooledBackbone, acceleration: str, device: DeviceChoice, max_batch: int, *, fixed_shape: bool
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Wrap the network for the setting. With ``pad`` it runs directly: shapes rarely repeat, so graphs gain nothing."""
    if acceleration not in ACCELERATIONS:
        raise InvalidRequest(f"unknown acceleration: {acceleration!r}; accepted: {', '.join(ACCELERATIONS)}")
    if acceleration in ("graphs", "compile") and not device.is_cuda:
        raise InvalidRequest(
            f"acceleration {acceleration!r} needs a CUDA device, this is {device.reason}; accepted: auto"
        )
    if acceleration == "none" or not device.is_cuda or not fixed_shape:
        return network
    compiled = torch.compile(network, dynamic=False) if acceleration == "compile" else None
    return GraphedNetwork(network, max_batch, CudaRecorder(), faster=compiled)
