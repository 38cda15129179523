import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.encoders.dinov3 import DinoV3Encoder
from core.errors import EncoderMismatch
from core.gallery.database.manifest import refuse_other_encoder
from scripts.tiny_models.dino import build_dinov2

Edit = Callable[[Path], None]
Tensors = dict[str, torch.Tensor]


def _config(**more: object) -> Edit:
    def edit(folder: Path) -> None:
        file = folder / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | more))

    return edit


def _weights(change: Callable[[Tensors], Tensors]) -> Edit:
    def edit(folder: Path) -> None:
        file = folder / "model.safetensors"
        save_file(change(load_file(file)), file, metadata={"format": "pt"})

    return edit


def _in_two_shards(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    where = {name: f"model-0000{1 + number % 2}-of-00002.safetensors" for number, name in enumerate(sorted(tensors))}
    for file in set(where.values()):
        save_file({name: tensors[name] for name in where if where[name] == file}, folder / file, {"format": "pt"})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))


def _with_a_head(tensors: Tensors) -> Tensors:
    return {f"dinov2.{name}": tensor for name, tensor in tensors.items()} | {"classifier.weight": torch.zeros(2, 128)}


def _tuned(tensors: Tensors) -> Tensors:
    return {name: tensor * 1.01 if "mlp" in name else tensor for name, tensor in tensors.items()}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny DINOv2, as it is published."""
    return build_dinov2(tmp_path_factory.mktemp("published") / "dinov2")


@pytest.mark.parametrize(
    "edit",
    [
        _in_two_shards,
        lambda folder: shutil.copy(folder / "model.safetensors", folder / "model.fp16.safetensors"),
        lambda folder: save_file({"x": torch.zeros(2)}, folder / "adapter_model.safetensors"),
        lambda folder: (folder / "._model.safetensors").write_bytes(b"\0\5\26\7" * 20),
        _config(note="x"),
        _config(_attn_implementation_autoset=True, transformers_version="9"),
        _config(_attn_implementation="flash_attention_2"),
        _weights(lambda tensors: {name: tensor for name, tensor in tensors.items() if "mask_token" not in name}),
        _weights(_with_a_head),
        _weights(lambda tensors: {name: tensor.bfloat16() for name, tensor in tensors.items()}),
    ],
    ids=["shards", "second file", "adapter", "macOS", "note", "version", "attention", "mask", "head", "bfloat16"],
)
def test_the_same_weights_are_one_embedding_space(published: Path, tmp_path: Path, edit: Edit):
    """However they are laid out, described or stored, a gallery made with them is accepted."""
    folder = Path(shutil.copytree(published, tmp_path / "model"))
    edit(folder)

    assert DinoV3Encoder(str(folder)).fingerprint == DinoV3Encoder(str(published)).fingerprint


@pytest.mark.parametrize("edit", [_weights(_tuned), _config(layer_norm_eps=0.1)], ids=["fine-tune", "setting"])
def test_what_moves_a_vector_is_another_embedding_space(published: Path, tmp_path: Path, edit: Edit):
    """Other numbers in the same tensors, or another setting of the network."""
    folder = Path(shutil.copytree(published, tmp_path / "model"))
    edit(folder)

    assert DinoV3Encoder(str(folder)).fingerprint != DinoV3Encoder(str(published)).fingerprint


def test_a_gallery_of_an_earlier_version_is_opened(published: Path, tmp_path: Path):
    """Versions up to 0.1.0 recorded a digest of the files; it is still known, and other weights are still refused."""
    encoder = DinoV3Encoder(str(published)).fingerprint
    assert encoder.earlier_weights is not None
    recorded = replace(encoder, weights=encoder.earlier_weights, earlier_weights=None)
    stranger = replace(recorded, weights="dinov2-64x2 000000000000")

    assert recorded != encoder
    refuse_other_encoder(recorded, encoder)
    with pytest.raises(EncoderMismatch):
        refuse_other_encoder(stranger, encoder)
