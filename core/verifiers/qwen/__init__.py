"""Qwen2-VL, Qwen2.5-VL and Qwen3-VL in this process.

qwen3_vl       the verifier
qwen_files     weights and tokenizer
conversations  the prompt as tokens
answer_words   the tokens of yes and no
visual_tokens  photos to patches and visual tokens
vision_tower   the vision tower with its cache
shared_prefix  computes the common prefix of several conversations once
pair_session   one query and its candidates
"""
