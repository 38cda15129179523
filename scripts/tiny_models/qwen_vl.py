"""Tiny Qwen-VL folders of every generation: config, safetensors, tokenizer, chat template, image processor."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import (
    PretrainedConfig,
    PreTrainedModel,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Tokenizer,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLMoeConfig,
    Qwen3VLMoeForConditionalGeneration,
)

from core.verifiers.prompting.styles import PromptStyle, Shown, compose, load_styles
from scripts.tiny_models.tokenizer import ANSWERS, build_tokenizer

_ANSWER_LOGIT = 30.0  # makes an answer word likelier than all other words together
_CONVERSATIONS_PER_STYLE = 36
_GRIDS = ((8, 8), (6, 10), (12, 8), (4, 14), (16, 16), (10, 4), (20, 24))  # rows and columns of patches
_RIDGE = 1.0

# 32 per head is the smallest that vLLM's kernels load; rope sections are halves of it.
_TEXT = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 32768,
    # Larger than usual, so that answers depend visibly on the photos and on every position.
    "initializer_range": 0.15,
}
_QWEN3_TEXT = _TEXT | {
    "head_dim": 32,
    "rope_parameters": {
        "rope_type": "default",
        "rope_theta": 5_000_000.0,
        "mrope_section": [6, 5, 5],
        "mrope_interleaved": True,
    },
}
_QWEN2_TEXT = _TEXT | {
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1_000_000.0, "mrope_section": [4, 6, 6]},
}
_QWEN3_EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 64, "decoder_sparse_step": 1}
_VISION = {"depth": 3, "num_heads": 2, "hidden_size": 64, "initializer_range": 0.15}
_QWEN3_VISION = _VISION | {
    "intermediate_size": 128,
    "out_hidden_size": 64,
    "num_position_embeddings": 64,
    "deepstack_visual_indexes": [0, 1],
}
_QWEN2_5_VISION = _VISION | {"intermediate_size": 128, "out_hidden_size": 64, "fullatt_block_indexes": [1]}
_QWEN2_VISION = _VISION | {"embed_dim": 64, "mlp_ratio": 2}

_QWEN3_PROCESSOR = {"processor_class": "Qwen3VLProcessor", "patch_size": 16}
_QWEN3_PROCESSOR |= {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
_QWEN2_PROCESSOR = {
    "processor_class": "Qwen2VLProcessor",
    "patch_size": 14,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}


@dataclass(frozen=True, slots=True)
class _Generation:
    """A kind of Qwen-VL: its classes, and the fields of its config and processor files."""

    network: Callable[..., PreTrainedModel]
    config: Callable[..., PretrainedConfig]
    text: Mapping[str, Any]
    vision: Mapping[str, Any]
    processor: Mapping[str, Any]
    video_processor: str


_GENERATIONS: Mapping[str, _Generation] = {
    "qwen3_vl": _Generation(
        Qwen3VLForConditionalGeneration,
        Qwen3VLConfig,
        _QWEN3_TEXT,
        _QWEN3_VISION,
        _QWEN3_PROCESSOR,
        "Qwen3VLVideoProcessor",
    ),
    "qwen3_vl_moe": _Generation(
        Qwen3VLMoeForConditionalGeneration,
        Qwen3VLMoeConfig,
        _QWEN3_TEXT | _QWEN3_EXPERTS,
        _QWEN3_VISION,
        _QWEN3_PROCESSOR,
        "Qwen3VLVideoProcessor",
    ),
    "qwen2_5_vl": _Generation(
        Qwen2_5_VLForConditionalGeneration,
        Qwen2_5_VLConfig,
        _QWEN2_TEXT,
        _QWEN2_5_VISION,
        _QWEN2_PROCESSOR | {"processor_class": "Qwen2_5_VLProcessor"},
        "Qwen2VLVideoProcessor",
    ),
    "qwen2_vl": _Generation(
        Qwen2VLForConditionalGeneration,
        Qwen2VLConfig,
        _QWEN2_TEXT,
        _QWEN2_VISION,
        _QWEN2_PROCESSOR,
        "Qwen2VLVideoProcessor",
    ),
}

GENERATIONS = tuple(_GENERATIONS)
"""The model types that can be built."""


def build_qwen_vl(
    folder: Path,
    generation: str = "qwen3_vl",
    *,
    seed: int = 0,
    text: Mapping[str, Any] | None = None,
    vision: Mapping[str, Any] | None = None,
) -> Path:
    """Write a tiny vision-language model: hidden 64, 3 text layers, 3 vision layers.

    Args:
        folder: created if it does not exist.
        generation: one of ``GENERATIONS``.
        seed: of the random weights.
        text: other fields of the text config, e.g. for a larger model.
        vision: other fields of the vision config.

    Returns:
        ``folder``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = build_tokenizer(_corpus())
    tokenizer.save_pretrained(folder)
    build_model(tokenizer, generation, seed=seed, text=text, vision=vision).save_pretrained(folder)
    for name, content in _processor_files(_GENERATIONS[generation]).items():
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return folder


def build_model(
    tokenizer: Qwen2Tokenizer,
    generation: str = "qwen3_vl",
    *,
    seed: int = 0,
    text: Mapping[str, Any] | None = None,
    vision: Mapping[str, Any] | None = None,
) -> PreTrainedModel:
    """Make only the network, on torch's default device and in its default dtype."""
    kind = _GENERATIONS[generation]
    token = tokenizer.convert_tokens_to_ids
    special = {"bos_token_id": None, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    config = kind.config(
        text_config={**kind.text, "vocab_size": len(tokenizer), **special, **(text or {})},
        vision_config={**kind.vision, **(vision or {})},
        image_token_id=token("<|image_pad|>"),
        video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"),
        vision_end_token_id=token("<|vision_end|>"),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = kind.network(config)
    _teach_answers(model, tokenizer)
    model.generation_config.eos_token_id = [tokenizer.eos_token_id, tokenizer.pad_token_id]
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model


@torch.no_grad()
def _teach_answers(model: Any, tokenizer: Qwen2Tokenizer) -> None:
    """Make a style's answer words likely at the start of the reply; which of them is likelier is random.

    Collects the states at that point in many conversations. Adds to every word's row of the output layer the vector
    that gives the word about the same logit in the states where it is an answer, and 0 in others (ridge regression).
    """
    styles = [style for style in _styles() for _ in range(_CONVERSATIONS_PER_STYLE)]
    # On the CPU in float32, whatever torch's defaults are where a large model is being built.
    states = torch.stack(
        [
            _state_before_answer(model, tokenizer, style, number % _CONVERSATIONS_PER_STYLE)
            for number, style in enumerate(styles)
        ]
    )
    meant = [[word.lower() in style.yes + style.no for word in ANSWERS] for style in styles]
    logits = _ANSWER_LOGIT * torch.tensor(meant, dtype=torch.float32, device="cpu")
    ridge = _RIDGE * torch.eye(states.shape[1], device="cpu")
    columns = torch.linalg.solve(states.T @ states + ridge, states.T @ logits)
    rows = [tokenizer.encode(word)[0] for word in ANSWERS]
    model.lm_head.weight[rows] += columns.T.to(model.device, model.dtype)


def _state_before_answer(model: Any, tokenizer: Qwen2Tokenizer, style: PromptStyle, number: int) -> torch.Tensor:
    """Compute the last layer's state at the end of a conversation about two drawn photos, float32 [D] on the CPU.

    The conversations of a style differ in the photos, their shapes and order; every third has a turn before the cue.
    """
    chance = torch.Generator("cpu").manual_seed(number)
    words = torch.randint(len(tokenizer) - 50, (6 * number,), generator=chance, device="cpu").tolist()
    said = str(tokenizer.decode(words)).replace("<|", "< |")
    dialogue = (style.reasons_cue, said, style.cue) if number % 3 == 2 else (style.cue,)
    turns = compose(style, *dialogue, candidate_first=number % 2 == 1)
    messages: Any = [{"role": turn.role, "content": [_content(part) for part in turn.parts]} for turn in turns]
    text = str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
    grids = _GRIDS[number % len(_GRIDS)], _GRIDS[(3 * number + 1) % len(_GRIDS)]
    first, rest = text.split("<|image_pad|>", 1)
    pads = ["<|image_pad|>" * (rows * columns // 4) for rows, columns in grids]
    ids = torch.tensor([tokenizer.encode(first + pads[0] + rest.replace("<|image_pad|>", pads[1]))])
    patch = model.config.vision_config.patch_size
    count = sum(rows * columns for rows, columns in grids)
    # Every patch has one colour.
    colours = torch.randn((count, 3, 1), generator=chance, device="cpu")
    output = model.model(
        input_ids=ids.to(model.device),
        mm_token_type_ids=(ids == model.config.image_token_id).int().to(model.device),
        pixel_values=colours.expand(-1, -1, 2 * patch**2).reshape(count, -1).to(model.device, model.dtype),
        image_grid_thw=torch.tensor([[1, *grid] for grid in grids]).to(model.device),
    )
    state: torch.Tensor = output.last_hidden_state[0, -1].float().cpu()
    return state


def _content(part: str | Shown) -> dict[str, str]:
    return {"type": "image"} if isinstance(part, Shown) else {"type": "text", "text": part}


def _corpus() -> str:
    return "\n".join(
        f"{style.instructions} {style.query_label} {style.candidate_label} {style.cue} {style.reasons_cue}"
        for style in _styles()
    )


def _styles() -> list[PromptStyle]:
    """Return the styles whose answer words must be likely; exact words are weighed however likely they are."""
    return [style for style in load_styles().values() if not style.exact_words]


def _processor_files(generation: _Generation) -> dict[str, dict[str, Any]]:
    token_pixels = (generation.processor["patch_size"] * 2) ** 2
    common = {
        **generation.processor,
        "temporal_patch_size": 2,
        "merge_size": 2,
        "size": {"shortest_edge": 4 * token_pixels, "longest_edge": 16384 * token_pixels},
    }
    return {
        "preprocessor_config.json": common | {"image_processor_type": "Qwen2VLImageProcessor"},
        "video_preprocessor_config.json": common | {"video_processor_type": generation.video_processor},
    }
