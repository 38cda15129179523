"""Makes a small byte-level tokenizer like Qwen's.

It has the class, the special tokens and the text splitting of the published one. Its vocabulary has the 256 bytes, the
answer words as single tokens, and the words of a given text, so that a prompt has about as many tokens as with the
published one.
"""

from typing import Any

from tokenizers.pre_tokenizers import ByteLevel
from transformers import Qwen2Tokenizer

SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)

_SPACE = "Ġ"  # how the byte-level alphabet writes a space
ANSWERS = ("yes", "Yes", "YES", "no", "No", "NO", "是", "否")
"""The answer words of the built-in styles, which are single tokens in the published models' tokenizer too."""


# ChatML with images, as the published models render it.
_CHAT_TEMPLATE = """\
{%- for message in messages -%}
    {{- '<|im_start|>' + message.role + '\\n' -}}
    {%- if message.content is string -%}
        {{- message.content -}}
    {%- else -%}
        {%- for content in message.content -%}
            {%- if content.type == 'image' or content.type == 'image_url' or 'image' in content -%}
                {{- '<|vision_start|><|image_pad|><|vision_end|>' -}}
            {%- elif content.type == 'video' or 'video' in content -%}
                {{- '<|vision_start|><|video_pad|><|vision_end|>' -}}
            {%- elif 'text' in content -%}
                {{- content.text -}}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{- '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- '<|im_start|>assistant\\n' -}}
{%- endif -%}
"""


def build_tokenizer(corpus: str = "") -> Qwen2Tokenizer:
    """Make the tokenizer.

    Args:
        corpus: its words become tokens too, if merging letters from left to right allows it.
    """
    vocab = {symbol: index for index, symbol in enumerate(sorted(ByteLevel.alphabet()))}
    merges: dict[tuple[str, str], None] = {}
    for word in ANSWERS:
        whole = _add_word(word, vocab, merges)
        merges[(_SPACE, whole)] = None
        vocab.setdefault(_SPACE + whole, len(vocab))
    splitter = Qwen2Tokenizer().backend_tokenizer.pre_tokenizer
    for symbols, _ in splitter.pre_tokenize_str(corpus):
        _merge_symbols(symbols, vocab, merges)
    pairs: Any = list(merges)  # annotated as strings in transformers, but only pairs are accepted
    tokenizer = Qwen2Tokenizer(
        vocab=vocab, merges=pairs, eos_token="<|im_end|>", extra_special_tokens=list(SPECIAL_TOKENS)
    )
    tokenizer.chat_template = _CHAT_TEMPLATE
    return tokenizer


def _add_word(word: str, vocab: dict[str, int], merges: dict[tuple[str, str], None]) -> str:
    symbols = ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(word)[0][0]
    _merge_symbols(symbols, vocab, merges)
    return symbols


def _merge_symbols(symbols: str, vocab: dict[str, int], merges: dict[tuple[str, str], None]) -> None:
    joined = symbols[0]
    for symbol in symbols[1:]:
        merges[(joined, symbol)] = None
        joined += symbol
        vocab.setdefault(joined, len(vocab))
