import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from fakes.images import draw_place
from PIL import Image
from safetensors.torch import load_file, save_file

from core.encoders.dinov3 import DinoV3Encoder
from core.errors import BackendUnavailable, InvalidRequest
from core.local_features.xfeat import XFeatExtractor
from scripts.tiny_models.dino import build_dinov3

PHOTO = draw_place(1, (320, 240))
KINDS = ["dinov3", "dinov3-plain", "dinov2", "dinov2-registers"]


def official_tokens(folder: Path, pixels: torch.Tensor) -> torch.Tensor:
    """What transformers itself computes: [1, T, D]."""
    from transformers import AutoModel

    with torch.inference_mode():
        output = AutoModel.from_pretrained(folder, local_files_only=True).eval()(pixel_values=pixels)
    tokens: torch.Tensor = output.last_hidden_state
    return tokens


@pytest.fixture
def copy_of_dinov3(dino_folders: dict[str, Path], tmp_path: Path) -> Path:
    """A tiny model that a test may damage."""
    return Path(shutil.copytree(dino_folders["dinov3"], tmp_path / "model"))


@pytest.mark.parametrize("kind", KINDS)
def test_cls_is_the_models_pooler_output(dino_folders: dict[str, Path], kind: str):
    """The embedding is the direction of the layer-normed class token that transformers itself returns."""
    from transformers import AutoModel

    encoder = DinoV3Encoder(str(dino_folders[kind]), aspect="squash")
    pixels = encoder.preprocessing.to_tensor(PHOTO, torch.device("cpu"))[None]
    model = AutoModel.from_pretrained(dino_folders[kind], local_files_only=True).eval()
    with torch.inference_mode():
        official = model(pixel_values=pixels).pooler_output
    ours = encoder.encode([PHOTO]).embeddings
    np.testing.assert_allclose(ours, torch.nn.functional.normalize(official).numpy(), atol=1e-6)


def test_local_features_come_beside_the_vectors(dino_folders: dict[str, Path]):
    """They are XFeat's of the same photos, and the vectors are the same with and without."""
    photos = [PHOTO, draw_place(2, (240, 320))]
    plain = DinoV3Encoder(str(dino_folders["dinov3"]), device="cpu")
    both = DinoV3Encoder(str(dino_folders["dinov3"]), device="cpu", local_features=True)
    made = both.encode(photos)
    np.testing.assert_array_equal(made.embeddings, plain.encode(photos).embeddings)
    assert plain.encode(photos).local_features == (None, None)
    assert both.fingerprint == plain.fingerprint
    for photo, found in zip(photos, made.local_features, strict=True):
        expected = XFeatExtractor().extract(photo)
        assert found.extractor == expected.extractor
        for view, same in zip(found.views, expected.views, strict=True):
            np.testing.assert_array_equal(view.descriptors, same.descriptors)


@pytest.mark.parametrize(
    ("kind", "prefix"), [("dinov3", 5), ("dinov3-plain", 1), ("dinov2", 1), ("dinov2-registers", 5)]
)
def test_gem_leaves_out_exactly_the_registers(dino_folders: dict[str, Path], kind: str, prefix: int):
    """The number of registers is read from the model: none of them, and every patch, is pooled."""
    encoder = DinoV3Encoder(str(dino_folders[kind]), aspect="squash", pooling="gem")
    pixels = encoder.preprocessing.to_tensor(PHOTO, torch.device("cpu"))[None]
    patches = official_tokens(dino_folders[kind], pixels)[:, prefix:]
    side = 224 // (16 if kind.startswith("dinov3") else 14)
    assert patches.shape[1] == side * side
    mean = patches.pow(3).mean(dim=1)
    expected = torch.nn.functional.normalize(mean.sign() * mean.abs().pow(1 / 3))
    np.testing.assert_allclose(encoder.encode([PHOTO]).embeddings, expected.numpy(), atol=1e-5)


def test_width_is_the_models(dino_folders: dict[str, Path], tmp_path: Path):
    """D is read from the loaded model, and doubled where two poolings are joined."""
    wide = build_dinov3(tmp_path / "wide", hidden_size=96, num_attention_heads=6)
    assert DinoV3Encoder(str(wide)).encode([PHOTO]).embeddings.shape == (1, 96)
    assert DinoV3Encoder(str(dino_folders["dinov3"]), pooling="cls+gem").fingerprint.dim == 128


@pytest.mark.parametrize(("dtype", "cosine"), [("float32", 1 - 1e-6), ("bfloat16", 0.999)])
def test_a_photo_travels_alone_or_in_a_batch_of_64(dino_folders: dict[str, Path], dtype: str, cosine: float):
    """The same photo gets the same vector in a batch of 1 and of 64, to the stated tolerance."""
    encoder = DinoV3Encoder(str(dino_folders["dinov3"]), dtype=dtype, max_batch=64, pooling="cls+gem")
    others = [draw_place(seed, (64, 48)) for seed in range(63)]
    alone = encoder.encode([PHOTO]).embeddings[0]
    among = encoder.encode([*others[:20], PHOTO, *others[20:]]).embeddings[20]
    assert alone @ among >= cosine


def test_bfloat16_is_the_same_space(dino_folders: dict[str, Path]):
    """A gallery made in bfloat16 is searched in float32: same fingerprint, nearly the same vectors."""
    full, half = (DinoV3Encoder(str(dino_folders["dinov3"]), dtype=dtype) for dtype in ("float32", "bfloat16"))
    assert full.fingerprint == half.fingerprint
    assert float(full.encode([PHOTO]).embeddings[0] @ half.encode([PHOTO]).embeddings[0]) > 0.999


def test_photos_of_many_shapes_keep_their_order(dino_folders: dict[str, Path]):
    """Photos that cannot share a batch are run apart and come back in the order given."""
    photos = [
        draw_place(seed, size) for seed, size in enumerate([(300, 200), (200, 300), (300, 200), (90, 30), (200, 300)])
    ]
    encoder = DinoV3Encoder(str(dino_folders["dinov3"]), aspect="pad", max_batch=2)
    together = encoder.encode(photos).embeddings
    alone = np.concatenate([encoder.encode([photo]).embeddings for photo in photos])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_everything_that_changes_the_vector_is_in_the_fingerprint(dino_folders: dict[str, Path], tmp_path: Path):
    """Other weights, size, aspect policy or pooling: another space."""
    folder = str(dino_folders["dinov3"])
    fingerprints = {
        DinoV3Encoder(folder).fingerprint,
        DinoV3Encoder(folder, input_size=256).fingerprint,
        DinoV3Encoder(folder, aspect="pad").fingerprint,
        DinoV3Encoder(folder, pooling="gem").fingerprint,
        DinoV3Encoder(str(build_dinov3(tmp_path / "other", seed=1))).fingerprint,
    }
    assert len(fingerprints) == 5


def test_where_the_weights_lie_is_not_in_the_fingerprint(dino_folders: dict[str, Path], copy_of_dinov3: Path):
    """A model moved to another folder still reads its gallery."""
    assert DinoV3Encoder(str(copy_of_dinov3)).fingerprint == DinoV3Encoder(str(dino_folders["dinov3"])).fingerprint


def test_running_out_of_memory_halves_the_batch(
    dino_folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """A device that holds three photos still embeds ten, and the operator is told."""
    from transformers import DINOv3ViTModel

    encoder = DinoV3Encoder(str(dino_folders["dinov3"]))
    photos = [draw_place(seed, (64, 48)) for seed in range(10)]
    expected = encoder.encode(photos).embeddings
    forward = DINOv3ViTModel.forward

    def in_little_memory(self: DINOv3ViTModel, pixel_values: torch.Tensor) -> object:
        if len(pixel_values) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(self, pixel_values=pixel_values)

    monkeypatch.setattr(DINOv3ViTModel, "forward", in_little_memory)
    with caplog.at_level(logging.WARNING):
        np.testing.assert_allclose(encoder.encode(photos).embeddings, expected, atol=1e-5)
    assert "did not fit the device; at most" in caplog.text


@pytest.mark.parametrize(
    ("model", "fact"),
    [
        ("/nowhere/dinov3", "no such folder"),
        ("./weights", "no such folder"),
        ("dinov3-huge", "not a hub id"),
        ("a/b/c", "not a hub id"),
    ],
)
def test_a_missing_model_names_three_ways_out(model: str, fact: str):
    """A model that is not there is answered with what can be done about it."""
    with pytest.raises(BackendUnavailable) as raised:
        DinoV3Encoder(model)
    message = str(raised.value)
    assert fact in message
    for way in ("give that path", "HF_TOKEN", "HF_ENDPOINT", "facebook/dinov2-giant", "embedded"):
        assert way in message


def test_missing_weights_are_never_filled_with_random_numbers(copy_of_dinov3: Path):
    """Weights that lack a tensor are refused by name; transformers would invent it."""
    file = copy_of_dinov3 / "model.safetensors"
    weights = load_file(file)
    gone = next(name for name in weights if "q_proj.weight" in name)
    save_file({name: tensor for name, tensor in weights.items() if name != gone}, file, {"format": "pt"})
    with pytest.raises(BackendUnavailable, match=r"lacks 1 weights, e\.g\. .*q_proj"):
        DinoV3Encoder(str(copy_of_dinov3))


def test_weights_cut_short_are_refused(copy_of_dinov3: Path):
    """An interrupted download is named as such."""
    file = copy_of_dinov3 / "model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(BackendUnavailable, match="not a complete safetensors file"):
        DinoV3Encoder(str(copy_of_dinov3))


def test_another_kind_of_model_is_refused(copy_of_dinov3: Path):
    """A model that is no DINO is refused with the kinds that run."""
    config = json.loads((copy_of_dinov3 / "config.json").read_text())
    (copy_of_dinov3 / "config.json").write_text(json.dumps(config | {"model_type": "vit"}))
    with pytest.raises(BackendUnavailable, match=r"'vit'.*dinov3_vit, dinov2"):
        DinoV3Encoder(str(copy_of_dinov3))


def _edit(folder: Path, **more: object) -> None:
    file = folder / "preprocessor_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | more))


def _save_as_transformers_5(folder: Path) -> None:
    file = folder / "preprocessor_config.json"
    (folder / "processor_config.json").write_text(json.dumps({"image_processor": json.loads(file.read_text())}))
    file.unlink()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "edit",
    [
        lambda folder: (folder / "preprocessor_config.json").unlink(),
        _save_as_transformers_5,
        lambda folder: _edit(folder, resample=None),
        lambda folder: _edit(folder, image_mean=None, image_std=None),
        lambda folder: _edit(folder, rescale_factor=1 / 255),
    ],
    ids=["no file", "transformers 5", "no filter", "no colours", "factor"],
)
def test_preprocessing_is_the_models_own(
    dino_folders: dict[str, Path], tmp_path: Path, kind: str, edit: Callable[[Path], None]
):
    """Whatever a folder leaves out is as it is published for that kind of model, and the vectors are the same."""
    folder = Path(shutil.copytree(dino_folders[kind], tmp_path / "model"))
    edit(folder)

    assert DinoV3Encoder(str(folder)).fingerprint == DinoV3Encoder(str(dino_folders[kind])).fingerprint


@pytest.mark.parametrize(
    ("more", "preprocessing"),
    [
        ({"size": 256, "crop_size": 224, "resample": "bicubic"}, "crop/1.143 224 bicubic bytes"),
        ({"image_processor_type": None, "feature_extractor_type": "BitImageProcessor"}, "crop/1.143 224 bicubic bytes"),
    ],
)
def test_older_forms_of_preprocessing_are_read(
    dino_folders: dict[str, Path], tmp_path: Path, more: dict[str, object], preprocessing: str
):
    """Sizes as numbers, filters by name, and the class by its older key."""
    folder = Path(shutil.copytree(dino_folders["dinov2"], tmp_path / "model"))
    _edit(folder, **more)

    assert str(DinoV3Encoder(str(folder)).preprocessing).startswith(preprocessing)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"do_normalize": False}, "do_normalize false"),
        ({"do_resize": False}, "do_resize false"),
        ({"rescale_factor": 1}, "rescale_factor 1"),
        ({"size": {"height": 224, "width": 448}}, "size"),
        ({"size": "large"}, "size 'large'"),
        ({"resample": "lanczos"}, "PIL filter 'lanczos'"),
        ({"image_mean": [0.5]}, "image_mean"),
    ],
)
def test_a_preprocessing_that_is_not_ours_is_refused(copy_of_dinov3: Path, more: dict[str, object], says: str):
    """It is named at the start; run otherwise, vectors would look right and mean something else."""
    _edit(copy_of_dinov3, **more)

    with pytest.raises(BackendUnavailable, match=says):
        DinoV3Encoder(str(copy_of_dinov3))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"pooling": "max"}, "cls, gem, cls\\+gem"),
        ({"max_batch": 0}, "1 or more"),
        ({"aspect": "stretch"}, "auto, squash, crop, pad"),
        ({"input_size": 250}, "try 240 or 256"),
        ({"device": "tpu"}, "auto, cpu, cuda, cuda:N"),
        ({"dtype": "int8"}, "unknown dtype: 'int8'; accepted: auto, bfloat16, float32"),
        ({"dtype": "float16"}, "float16 is refused"),
        ({"acceleration": "warp"}, "auto, none, graphs, compile"),
        ({"acceleration": "graphs", "device": "cpu"}, "needs a CUDA device"),
    ],
)
def test_a_wrong_setting_is_refused(dino_folders: dict[str, Path], options: dict[str, object], says: str):
    """A setting outside what is accepted is answered with what is."""
    with pytest.raises(InvalidRequest, match=says):
        DinoV3Encoder(str(dino_folders["dinov3"]), **options)


def test_rotary_frequencies_stay_exact_in_bfloat16(dino_folders: dict[str, Path]):
    """Loading in bfloat16 leaves the position frequencies in float32; rounded, they would shift distant patches."""
    from transformers import AutoModel

    model = AutoModel.from_pretrained(dino_folders["dinov3"], dtype=torch.bfloat16, local_files_only=True)
    assert model.rope_embeddings.inv_freq.dtype == torch.float32


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device: graphs and bfloat16 kernels cannot be tried")
@pytest.mark.parametrize("acceleration", ["none", "graphs"])
def test_a_gpu_gives_the_cpus_vectors(dino_folders: dict[str, Path], acceleration: str):
    """On CUDA, with and without graphs, in any batch size, the vectors are those of the CPU."""
    photos = [draw_place(seed, (320, 240)) for seed in range(5)]
    expected = DinoV3Encoder(str(dino_folders["dinov3"]), device="cpu").encode(photos).embeddings
    encoder = DinoV3Encoder(str(dino_folders["dinov3"]), device="cuda", acceleration=acceleration, max_batch=4)
    for count in (1, 3, 5):
        similarities = (encoder.encode(photos[:count]).embeddings * expected[:count]).sum(axis=1)
        assert similarities.min() > 0.999


def test_grey_and_transparent_pictures_are_taken(dino_folders: dict[str, Path]):
    """The encoder makes RGB of what it is given."""
    encoder = DinoV3Encoder(str(dino_folders["dinov3"]))
    embeddings = encoder.encode(
        [PHOTO.convert("L"), PHOTO.convert("L").convert("RGB"), Image.new("RGBA", (9, 9))]
    ).embeddings
    np.testing.assert_allclose(embeddings[0], embeddings[1], atol=1e-6)
