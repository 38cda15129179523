"""A Qwen-VL used the way its model card shows: one pair at a time, official processor, no cleverness."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoTokenizer, Qwen2VLImageProcessorPil

from core.verifiers.prompting.replies import spellings, weigh
from core.verifiers.prompting.styles import PromptStyle, Shown, compose

PAD = "<|image_pad|>"


class NaiveQwen:
    """Answers chat messages about photos. What the real verifiers are held to."""

    def __init__(self, folder: Path) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.processor = Qwen2VLImageProcessorPil.from_pretrained(folder)
        self.network: Any = AutoModelForImageTextToText.from_pretrained(folder)

    def inputs(
        self, messages: Sequence[dict], images: Sequence[Image.Image], max_tokens: int | Sequence[int]
    ) -> dict[str, torch.Tensor]:
        """Give what the official processor would, photo ``i`` within a budget of ``max_tokens[i]``."""
        text = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        budgets = [max_tokens] * len(images) if isinstance(max_tokens, int) else max_tokens
        shown = [self._show(image, budget) for image, budget in zip(images, budgets, strict=True)]
        start, *rest = text.split(PAD)
        for photo, after in zip(shown, rest, strict=True):
            start += PAD * (int(photo["image_grid_thw"].prod()) // 4) + after
        ids = torch.tensor([self.tokenizer.encode(start)])
        return {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "mm_token_type_ids": (ids == self.tokenizer.convert_tokens_to_ids(PAD)).int(),
            "pixel_values": torch.cat([photo["pixel_values"] for photo in shown]),
            "image_grid_thw": torch.cat([photo["image_grid_thw"] for photo in shown]),
        }

    def logprobs(
        self, messages: Sequence[dict], images: Sequence[Image.Image], max_tokens: int | Sequence[int]
    ) -> torch.Tensor:
        """Natural logarithms of the next token's probabilities, float32 [vocabulary]."""
        with torch.inference_mode():
            logits = self.network(**self.inputs(messages, images, max_tokens)).logits
        return logits[0, -1].log_softmax(dim=-1)

    def log_odds(
        self,
        style: PromptStyle,
        query: Image.Image,
        candidate: Sequence[Image.Image],
        max_tokens: Sequence[int],
        *dialogue: str,
        candidate_first: bool = False,
    ) -> float:
        """Log-odds of yes by one pass over the whole conversation about a query and a candidate of several photos.

        ``max_tokens`` are those of the query and of each photo of the candidate.
        """
        messages = [
            {
                "role": turn.role,
                "content": [
                    {"type": "image"} if isinstance(part, Shown) else {"type": "text", "text": part}
                    for part in turn.parts
                ],
            }
            for turn in compose(style, *dialogue, photos=len(candidate), candidate_first=candidate_first)
        ]
        of_query, of_candidate = [(query, max_tokens[0])], [(image, max_tokens[1]) for image in candidate]
        shown = [*of_candidate, *of_query] if candidate_first else [*of_query, *of_candidate]
        logprobs = self.logprobs(messages, [image for image, _ in shown], [budget for _, budget in shown])
        columns = []
        for words in (style.yes, style.no):
            tokens = [self.tokenizer.encode(word) for word in spellings(words)]
            columns.append({token[0] for token in tokens if len(token) == 1})
        yes, no = (logprobs[sorted(column)].tolist() for column in columns)
        confidence = weigh(yes, no).confidence
        return math.log(confidence / (1 - confidence))

    def generate(
        self, messages: Sequence[dict], images: Sequence[Image.Image], max_tokens: int | Sequence[int], length: int
    ) -> str:
        """The greedy reply of at most ``length`` tokens."""
        inputs = self.inputs(messages, images, max_tokens)
        with torch.inference_mode():
            ids = self.network.generate(**inputs, max_new_tokens=length, do_sample=False)
        return self.tokenizer.decode(ids[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True).strip()

    def _show(self, image: Image.Image, max_tokens: int) -> dict[str, torch.Tensor]:
        token_pixels = (self.processor.patch_size * self.processor.merge_size) ** 2
        size = {"shortest_edge": min(64, max_tokens) * token_pixels, "longest_edge": max_tokens * token_pixels}
        return self.processor(images=[image], size=size, return_tensors="pt")
