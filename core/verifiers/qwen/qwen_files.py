"""Loads a Qwen-VL folder: the network, the tokenizer with its chat template, and the image preprocessing."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from core.errors import BackendUnavailable
from core.runtime.devices import DeviceChoice
from core.runtime.model_files import PROCESSOR_FILES, check_whole, read_json
from core.runtime.network_digest import network_digest
from core.verifiers.qwen.visual_tokens import PatchCutter

MODEL_TYPES = ("qwen3_vl", "qwen3_vl_moe", "qwen2_5_vl", "qwen2_vl")
"""Accepted values of ``model_type`` in ``config.json``."""

NEEDED_FILES = (PROCESSOR_FILES, ("tokenizer.json", "vocab.json"))
"""Files needed beside configuration and weights, with the names that each may have."""


@dataclass(frozen=True, slots=True, eq=False)
class QwenModel:
    """A loaded model.

    Attributes:
        network: a ``Qwen*VLForConditionalGeneration`` on its device, without gradients.
        tokenizer: with a chat template that accepts photos.
        cutter: cuts photos into patches.
        name: model type, size and weights, in a few words.
    """

    network: Any
    tokenizer: Any
    cutter: PatchCutter
    name: str

    @property
    def stop_tokens(self) -> list[int]:
        """The tokens that end a reply."""
        return _stop_tokens(self.network, self.tokenizer)


def load_qwen(folder: Path, device: DeviceChoice) -> QwenModel:
    """Load the model in ``folder``, its network onto the device.

    Raises:
        BackendUnavailable: the folder holds another kind of model, or lacks files.
    """
    config = read_json(folder / "config.json")
    kind = config.get("model_type")
    if kind not in MODEL_TYPES:
        raise BackendUnavailable(f"the model in {folder} is a {kind!r}; this verifier runs {', '.join(MODEL_TYPES)}")
    check_whole(folder)
    cutter = PatchCutter.of(folder, config.get("vision_config"))
    tokenizer = _load_tokenizer(folder)
    # From a folder without tokenizer files, transformers loads an empty tokenizer without an error.
    if tokenizer.convert_tokens_to_ids("<|image_pad|>") != config.get("image_token_id"):
        raise BackendUnavailable(f"the tokenizer in {folder} is not this model's; fetch the model again")
    network = _load_network(folder, device)
    if not _stop_tokens(network, tokenizer):
        raise BackendUnavailable(f"neither the model nor the tokenizer in {folder} says which token ends a reply")
    text = network.config.get_text_config()
    name = f"{kind}-{text.hidden_size}x{text.num_hidden_layers} {network_digest(network)}"
    return QwenModel(network, tokenizer, cutter, name)


def _load_tokenizer(folder: Path) -> Any:
    # Imported here and below, because transformers takes seconds to import.
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise BackendUnavailable(f"the tokenizer in {folder} cannot be loaded: {error}") from error
    # Older repositories have the template for photos in a separate file; newer ones in a .jinja file.
    older = folder / "chat_template.json"
    if older.is_file() and not (folder / "chat_template.jinja").is_file():
        tokenizer.chat_template = read_json(older).get("chat_template") or tokenizer.chat_template
    return tokenizer


def _stop_tokens(network: Any, tokenizer: Any) -> list[int]:
    stops = network.generation_config.eos_token_id
    if stops is None:
        stops = tokenizer.eos_token_id
    return list(stops) if isinstance(stops, list | tuple) else [] if stops is None else [stops]


def _load_network(folder: Path, device: DeviceChoice) -> Any:
    from safetensors import SafetensorError
    from transformers import AutoConfig, AutoModelForImageTextToText

    try:
        config: Any = AutoConfig.from_pretrained(folder, local_files_only=True)
        # Some files set this for the text network only, where transformers does not read it.
        text_ties = getattr(config.get_text_config(), "tie_word_embeddings", False)
        config.tie_word_embeddings = bool(config.tie_word_embeddings or text_ties)
        loaded: Any = AutoModelForImageTextToText.from_pretrained(
            folder,
            config=config,
            dtype=device.dtype,
            device_map={"": device.device},  # read tensor by tensor to where they are used
            # A configuration may name an attention library that is not installed; PyTorch's own gives the same answers.
            attn_implementation="sdpa",
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
        )
        network, report = loaded
        scales = sorted(name for name in report["unexpected_keys"] if "scale" in name.rpartition(".")[2])
        if scales and getattr(config, "quantization_config", None) is None:
            raise BackendUnavailable(
                f"the model in {folder} is quantised ({scales[0]}) but its config.json does not say how; fetch it "
                "again, or serve it with vLLM and the verifier 'openai-compatible'"
            )
        if not report["missing_keys"]:
            return network.eval().requires_grad_(False)
    except torch.OutOfMemoryError as error:
        raise BackendUnavailable(
            f"the model in {folder} does not fit {device.reason}; choose a smaller one or another device"
        ) from error
    except (OSError, ValueError, RuntimeError, ImportError, SafetensorError) as error:
        quantised = "quantization_config" in read_json(folder / "config.json")
        advice = "; serve quantised weights with vLLM and the verifier 'openai-compatible'" if quantised else ""
        raise BackendUnavailable(f"the model in {folder} cannot be loaded: {error}{advice}") from error
    # transformers fills missing weights with random numbers; the answers would look right and be meaningless.
    missing = sorted(report["missing_keys"])
    raise BackendUnavailable(f"the model in {folder} lacks {len(missing)} weights, e.g. {missing[0]}; fetch it again")
