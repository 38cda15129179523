"""Identifies a loaded network by what moves its output: its weights and the settings of its layers."""

import hashlib
import json
from typing import Any

import torch

# What describes a file, a training or a head that is not run.
_OF_NO_EFFECT = {
    "_name_or_path", "_commit_hash", "transformers_version", "torch_dtype", "dtype", "architectures", "model_type",
    "attn_implementation", "experts_implementation", "id2label", "label2id", "problem_type", "num_labels", "use_cache",
    "output_attentions", "output_hidden_states", "return_dict", "chunk_size_feed_forward", "is_encoder_decoder",
    "initializer_range", "use_mask_token", "quantization_config", "layerscale_value", "drop_path_rate",
    "attention_dropout", "hidden_dropout_prob", "attention_probs_dropout_prob",
    "pos_embed_jitter", "pos_embed_rescale", "pos_embed_shift",
    "stage_names", "out_features", "out_indices", "reshape_hidden_states", "apply_layernorm",
    "bos_token_id", "eos_token_id", "pad_token_id", "sep_token_id", "decoder_start_token_id",
}  # fmt: skip
_OF_TRAINING = ("mask_token",)
_CHUNKS = 4
_CHUNK = 64


def network_digest(network: Any) -> str:
    """Identify a network: 12 hex digits, the same wherever and in how many files its weights lie.

    Hashes the settings that the network's configuration class knows, and of every tensor its name, its shape and 256
    values, rounded to bfloat16: loaded in float32 or in bfloat16, the same weights are one network, and two
    fine-tunes of one architecture are two.

    Args:
        network: a transformers model, on any device.
    """
    digest = hashlib.sha256(json.dumps(_settings(network.config), sort_keys=True, default=str).encode())
    tensors = sorted((name, tensor) for name, tensor in network.state_dict().items() if not name.endswith(_OF_TRAINING))
    samples = [_sample(tensor) for _, tensor in tensors]
    digest.update(json.dumps([(name, list(tensor.shape)) for name, tensor in tensors]).encode())
    # One copy from the device for all of them.
    digest.update(torch.cat(samples).cpu().view(torch.int16).numpy().tobytes())
    return digest.hexdigest()[:12]


def _settings(config: Any) -> dict[str, Any]:
    """What the configuration says differently from its class, of what the class knows."""
    defaults = type(config)().to_dict()
    settings: dict[str, Any] = {}
    for key, default in defaults.items():
        if key in _OF_NO_EFFECT or key.startswith("_"):
            continue
        value = getattr(config, key, default)
        if hasattr(value, "to_dict"):
            settings[key] = _settings(value)
        elif value != default:
            settings[key] = value
    return settings


def _sample(tensor: torch.Tensor) -> torch.Tensor:
    """At most 256 values of a tensor, in four runs, as bfloat16."""
    flat = tensor.detach().reshape(-1)
    if len(flat) <= _CHUNKS * _CHUNK:
        return flat.to(torch.bfloat16)
    last = len(flat) - _CHUNK
    starts = [last * number // (_CHUNKS - 1) for number in range(_CHUNKS)]
    return torch.cat([flat[start : start + _CHUNK] for start in starts]).to(torch.bfloat16)
