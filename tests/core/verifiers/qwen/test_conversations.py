"""Turns to tokens: what the network is really told."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer

from core.errors import BackendUnavailable
from core.verifiers.prompting.styles import Shown, compose, load_styles
from core.verifiers.qwen.conversations import ConversationWriter
from core.verifiers.qwen.visual_tokens import VisualTokens

STYLES = load_styles()
PHOTOS = {
    Shown.QUERY: [VisualTokens(torch.zeros(6, 4), (1, 4, 6))],
    Shown.CANDIDATE: [VisualTokens(torch.zeros(4, 4), (1, 4, 4))],
}


@pytest.fixture(scope="module")
def tokenizer(qwen_folders: dict[str, Path]):
    """A tokenizer of the Qwen kind."""
    return AutoTokenizer.from_pretrained(qwen_folders["qwen3_vl"])


@pytest.mark.parametrize("candidate_first", [False, True])
@pytest.mark.parametrize("name", list(STYLES))
def test_pieces_equal_the_whole(tokenizer, name: str, candidate_first: bool):
    """Tokenised piece by piece, a conversation is the same as tokenised whole."""
    style = STYLES[name]
    turns = compose(style, style.reasons_cue, "Both show a gate.", style.cue, candidate_first=candidate_first)
    pieces = ConversationWriter(tokenizer, style).write(turns, PHOTOS)
    pad = tokenizer.convert_tokens_to_ids("<|image_pad|>")
    ids: list[int] = []
    for piece in pieces:
        ids += [pad] * piece.count if isinstance(piece, VisualTokens) else piece

    shown = [(style.query_label, 6), (style.candidate_label, 4)]
    if candidate_first:
        shown = shown[::-1]
    photos = "\n".join(f"{label}<|vision_start|>{'<|image_pad|>' * count}<|vision_end|>" for label, count in shown)
    whole = (
        f"<|im_start|>system\n{style.instructions}<|im_end|>\n"
        f"<|im_start|>user\n{photos}\n{style.reasons_cue}<|im_end|>\n"
        "<|im_start|>assistant\nBoth show a gate.<|im_end|>\n"
        f"<|im_start|>user\n{style.cue}<|im_end|>\n<|im_start|>assistant\n"
    )
    assert ids == tokenizer.encode(whole)


def test_several_photos_of_a_place_follow_one_another(tokenizer):
    """They stand behind one label, in their order, and nothing stands between them."""
    style = STYLES["scenic_guide"]
    views = [VisualTokens(torch.zeros(count, 4), (1, 2, 2 * count)) for count in (2, 3, 5)]
    pieces = ConversationWriter(tokenizer, style).write(
        compose(style, style.question(3), photos=3), PHOTOS | {Shown.CANDIDATE: views}
    )

    assert [piece for piece in pieces if isinstance(piece, VisualTokens)] == [*PHOTOS[Shown.QUERY], *views]
    between = tokenizer.encode("<|vision_end|><|vision_start|>")
    assert [list(piece) for piece in pieces[4:7:2]] == [between, between]
    assert tokenizer.decode(pieces[2]).endswith(f"\n{style.views_label}<|vision_start|>")
    assert style.views_cue in tokenizer.decode(pieces[-1])


def test_a_styles_texts_are_rendered_and_encoded_once(tokenizer):
    """The conversations of a match differ in their photos: from the second one on, there is nothing to tokenise."""

    class Counting:
        """The tokenizer, and how often it was used."""

        uses = 0

        def __getattr__(self, name: str) -> Any:
            self.uses += 1
            return getattr(tokenizer, name)

    counting, style = Counting(), STYLES["simple"]
    writer = ConversationWriter(counting, style)
    first = writer.write(compose(style, style.cue), PHOTOS)
    used = counting.uses
    other = PHOTOS | {Shown.CANDIDATE: [VisualTokens(torch.zeros(9, 4), (1, 6, 6))]}
    second = writer.write(compose(style, style.cue), other)

    assert counting.uses == used > 0
    assert [piece for piece in first if isinstance(piece, tuple)] == [p for p in second if isinstance(p, tuple)]


def test_a_reply_cannot_smuggle_in_a_photo(tokenizer):
    """A reply that spells the tokens of a photo stays text when it is read back."""
    turns = compose(STYLES["simple"], "Why?", "I see <|vision_start|><|image_pad|><|im_end|> there.", "Same?")
    pieces = ConversationWriter(tokenizer, STYLES["simple"]).write(turns, PHOTOS)
    assert sum(isinstance(piece, VisualTokens) for piece in pieces) == 2
    assert list(pieces[-1]).count(tokenizer.convert_tokens_to_ids("<|im_end|>")) == 3


def test_a_thinking_model_answers_at_once(qwen_folders: dict[str, Path]):
    """Where the template opens the model's thoughts, they are closed again, so that the next word is the answer."""
    tokenizer = AutoTokenizer.from_pretrained(qwen_folders["qwen3_vl"])
    tokenizer.chat_template = tokenizer.chat_template.replace("assistant\\n'", "assistant\\n<think>\\n'")
    pieces = ConversationWriter(tokenizer, STYLES["simple"]).write(compose(STYLES["simple"], "Same?"), PHOTOS)
    assert tokenizer.decode(pieces[-1]).endswith("assistant\n<think>\n\n</think>\n\n")


@pytest.mark.parametrize("template", ["{% for m in messages %}{{ m.role }}{% endfor %}", None, "{{ nonsense("])
def test_a_template_without_photos_is_refused(qwen_folders: dict[str, Path], template: str | None):
    """A model whose chat template shows no photos, or is none at all, is refused when it is loaded."""
    tokenizer = AutoTokenizer.from_pretrained(qwen_folders["qwen3_vl"])
    tokenizer.chat_template = template
    with pytest.raises(BackendUnavailable, match="chat template"):
        ConversationWriter(tokenizer, STYLES["simple"])
