"""Qwen2-VL, Qwen2.5-VL and Qwen3-VL in this process.

qwen3_vl       the verifier
qwen_files     weights and tokenizer
conversations  the prompt as tokens
answer_words   the tokens of yes and no
visual_tokens  photos to patches and visual tokens
vision_tower   the vision tower with its cache
shared_prefix  runs conversations behind a common beginning
packed_pass    many conversations as one sequence, several visitors in one pass
positions      rotary positions of texts and photos
tower_layout   where the patches of photos lie, computed on the CPU
pair_session   one query and its candidates
"""
