"""Loads a Qwen-VL folder: the network, the tokenizer with its chat template, and the way to cut photos."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from core.errors import BackendUnavailable
from core.runtime.devices import DeviceChoice
from core.runtime.model_files import read_json, weights_digest
from core.verifiers.qwen.visual_tokens import PatchCutter

MODEL_TYPES = ("qwen3_vl", "qwen3_vl_moe", "qwen2_5_vl", "qwen2_vl")
"""What ``config.json`` may call the model."""


@dataclass(frozen=True, slots=True, eq=False)
class QwenModel:
    """A loaded model.

    Attributes:
        network: a ``Qwen*VLForConditionalGeneration`` on its device, without gradients.
        tokenizer: whose chat template takes photos.
        cutter: photos to patches.
        name: model type, size, and which weights, in a few words.
    """

    network: Any
    tokenizer: Any
    cutter: PatchCutter
    name: str

    @property
    def stop_tokens(self) -> list[int]:
        """Tokens that end a reply."""
        stops = self.network.generation_config.eos_token_id
        if stops is None:
            stops = self.tokenizer.eos_token_id
        return list(stops) if isinstance(stops, list | tuple) else [stops]


def load_qwen(folder: Path, device: DeviceChoice) -> QwenModel:
    """Load everything in ``folder``, the network onto the device.

    Raises:
        BackendUnavailable: the folder holds something else, or not all of it.
    """
    config = read_json(folder / "config.json")
    kind = config.get("model_type")
    if kind not in MODEL_TYPES:
        raise BackendUnavailable(f"the model in {folder} is a {kind!r}; this verifier runs {', '.join(MODEL_TYPES)}")
    cutter = PatchCutter.of(folder)
    tokenizer = _load_tokenizer(folder)
    # A folder without its tokenizer's files is loaded as an empty tokenizer, without a word.
    if tokenizer.convert_tokens_to_ids("<|image_pad|>") != config.get("image_token_id"):
        raise BackendUnavailable(f"the tokenizer in {folder} is not this model's; fetch the model again")
    network = _load_network(folder, device)
    text = network.config.get_text_config()
    name = f"{kind}-{text.hidden_size}x{text.num_hidden_layers} {weights_digest(folder)}"
    return QwenModel(network, tokenizer, cutter, name)


def _load_tokenizer(folder: Path) -> Any:
    # Here and below, because transformers takes seconds to import.
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise BackendUnavailable(f"the tokenizer in {folder} cannot be loaded: {error}") from error
    # Older repositories keep the template that takes photos apart from the tokenizer's own.
    if (folder / "chat_template.json").is_file():
        tokenizer.chat_template = read_json(folder / "chat_template.json").get("chat_template")
    return tokenizer


def _load_network(folder: Path, device: DeviceChoice) -> Any:
    from safetensors import SafetensorError
    from transformers import AutoModelForImageTextToText

    try:
        loaded: Any = AutoModelForImageTextToText.from_pretrained(
            folder, dtype=device.dtype, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
        network, report = loaded
        if not report["missing_keys"]:
            return network.eval().requires_grad_(False).to(device.device)
    except torch.OutOfMemoryError as error:
        raise BackendUnavailable(
            f"the model in {folder} does not fit {device.reason}; choose a smaller one or another device"
        ) from error
    except (OSError, ValueError, RuntimeError, ImportError, SafetensorError) as error:
        raise BackendUnavailable(f"the model in {folder} cannot be loaded: {error}") from error
    # transformers fills what it does not find with random numbers; such answers would look right and mean nothing.
    missing = sorted(report["missing_keys"])
    raise BackendUnavailable(f"the model in {folder} lacks {len(missing)} weights, e.g. {missing[0]}; fetch it again")
