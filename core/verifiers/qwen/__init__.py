"""Qwen2-VL, Qwen2.5-VL and Qwen3-VL in this process.

qwen3_vl       the verifier
qwen_files     weights and tokenizer
conversations  the prompt as tokens
answer_words   the tokens of yes and no
visual_tokens  pictures as tokens
vision_tower   pictures through the vision model, cached
shared_prefix  one forward pass of the query for all candidates
pair_session   one query and its candidates
"""
