"""The local Qwen-VL against the way its model card uses it, and what it does when things go wrong."""

import json
import math
import re
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from fakes.naive_qwen import NaiveQwen
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLTextModel, Qwen3VLVisionModel

from core.errors import BackendUnavailable, InvalidRequest, OutOfMemory
from core.results import Photo
from core.runtime.devices import choose_device
from core.verifiers.prompting import replies
from core.verifiers.prompting.questions import weigh_in_both_orders
from core.verifiers.prompting.replies import WeighedAnswer
from core.verifiers.prompting.styles import PromptStyle, load_styles
from core.verifiers.qwen.qwen3_vl import Qwen3VLVerifier
from core.verifiers.qwen.qwen_files import load_qwen
from scripts.tiny_models.qwen_vl import GENERATIONS

AsPhoto = Callable[[Image.Image], Photo]

QUERY_TOKENS, CANDIDATE_TOKENS = 40, 32
# In logits. Float32 sums in another order move them by some 1e-6 here; another candidate's photo moves them by 0.1.
TOLERANCE = 1e-4


@pytest.fixture(scope="module", params=GENERATIONS)
def generation(request: pytest.FixtureRequest) -> str:
    """Each generation of Qwen-VL in turn."""
    return request.param


@pytest.fixture(scope="module")
def naive(generation: str, qwen_folders: dict[str, Path]) -> NaiveQwen:
    """The generation's model, used naively."""
    return NaiveQwen(qwen_folders[generation])


def make(folder: Path, **options: Any) -> Qwen3VLVerifier:
    """A verifier with the budgets of this file."""
    return Qwen3VLVerifier(
        str(folder), device="cpu", query_tokens=QUERY_TOKENS, candidate_tokens=CANDIDATE_TOKENS, **options
    )


def logit(confidence: float) -> float:
    """Log-odds, in which differences of the network's output show undamped."""
    return math.log(confidence / (1 - confidence))


def naive_logit(
    naive: NaiveQwen, style: PromptStyle, pair: Sequence[Image.Image], *dialogue: str, candidate_first: bool = False
) -> float:
    """Log-odds of yes by one ordinary forward pass over the whole conversation about one pair."""
    query, candidate = pair
    budgets = (QUERY_TOKENS, CANDIDATE_TOKENS)
    return naive.log_odds(style, query, [candidate], budgets, *dialogue, candidate_first=candidate_first)


@pytest.mark.parametrize("style", ["simple", "chinese"])
def test_all_candidates_together_equal_pair_by_pair(
    generation: str,
    naive: NaiveQwen,
    style: str,
    qwen_folders: dict[str, Path],
    images: list[Image.Image],
    as_photo: AsPhoto,
    monkeypatch: pytest.MonkeyPatch,
):
    """K = 1 to 8 candidates of unequal shapes get the confidences of K separate passes of the official recipe."""
    # The numbers are compared, whether or not a tiny model puts enough of its probability on yes and no.
    monkeypatch.setattr(replies, "LEAST_MASS", 0.0)
    query, *_ = images
    candidates = images[::-1]
    expected = [
        naive_logit(naive, load_styles()[style], (query, image), load_styles()[style].cue) for image in candidates
    ]
    verifier = make(qwen_folders[generation], prompt_style=style)
    for count in range(1, len(candidates) + 1):
        verdicts = verifier.verify(as_photo(query), [as_photo(image) for image in candidates[:count]])
        assert [logit(verdict.confidence) for verdict in verdicts] == pytest.approx(expected[:count], abs=TOLERANCE)

    spread = min(abs(a - b) for i, a in enumerate(expected) for b in expected[:i])
    assert spread > 5 * TOLERANCE, "the candidates are too alike to tell whether order and positions were kept"


def test_a_reranker_is_asked_in_the_words_of_its_training(
    naive: NaiveQwen, generation: str, qwen_folders: dict[str, Path], images: list[Image.Image], as_photo: AsPhoto
):
    """The conversation and the score of Qwen3-VL-Reranker's own code: the sigmoid of yes minus no."""
    query, *candidates = images[:4]
    style = load_styles()["reranker"]
    instruction = style.query_label.removeprefix("<Instruct>: ").removesuffix("<Query>:")
    official = [
        {
            "role": "system",
            "content": [
                {
                    "type": "text",
                    "text": "Judge whether the Document meets the requirements based on the Query and the Instruct "
                    'provided. Note that the answer can only be "yes" or "no".',
                }
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "text", "text": f"<Instruct>: {instruction}"},
                {"type": "text", "text": "<Query>:"},
                {"type": "image"},
                {"type": "text", "text": "\n<Document>:"},
                {"type": "image"},
            ],
        },
    ]
    (yes,), (no,) = (naive.tokenizer.encode(word) for word in ("yes", "no"))
    expected = []
    for image in candidates:
        logprobs = naive.logprobs(official, [query, image], [QUERY_TOKENS, CANDIDATE_TOKENS])
        expected.append(float(logprobs[yes] - logprobs[no]))

    verdicts = make(qwen_folders[generation], prompt_style="reranker").verify(
        as_photo(query), list(map(as_photo, candidates))
    )

    assert [logit(verdict.confidence) for verdict in verdicts] == pytest.approx(expected, abs=TOLERANCE)


def test_both_orders_are_averaged(
    generation: str, naive: NaiveQwen, qwen_folders: dict[str, Path], images: list[Image.Image], as_photo: AsPhoto
):
    """With both orders, the confidence of the likeliest is the mean of those of query first and candidate first."""
    query, *candidates = images[:5]
    style = load_styles()["simple"]
    orders = [
        [naive_logit(naive, style, (query, image), style.cue, candidate_first=first) for image in candidates]
        for first in (False, True)
    ]
    expected = weigh_in_both_orders(
        lambda pairs, first: [WeighedAnswer(_sigmoid(orders[first][pair]), 1.0) for pair in pairs], len(candidates)
    )
    assert orders[0] != pytest.approx(orders[1], abs=0.01), "the order makes no difference to this model"

    verdicts = make(qwen_folders[generation], both_orders=True).verify(as_photo(query), list(map(as_photo, candidates)))

    assert [v.confidence for v in verdicts] == pytest.approx([e.confidence for e in expected], abs=TOLERANCE)


def test_reasons_are_generated_before_the_word(
    generation: str,
    naive: NaiveQwen,
    qwen_folders: dict[str, Path],
    images: list[Image.Image],
    as_photo: AsPhoto,
    tmp_path: Path,
):
    """A style with reasons first generates what the model itself would, and weighs the word in their light."""
    styles_file = tmp_path / "reasons.toml"
    styles_file.write_text('[short]\nbased_on = "detailed"\nmax_reason_tokens = 12\n')
    style = load_styles(styles_file)["short"]
    query, *candidates = images[:4]

    verdicts = make(qwen_folders[generation], styles_file=styles_file).verify(
        as_photo(query), list(map(as_photo, candidates)), prompt_style="short"
    )

    for image, verdict in zip(candidates, verdicts, strict=True):
        reasons, answer = verdict.response.rsplit("\n", 1)
        messages = [
            {"role": "system", "content": style.instructions},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": style.query_label},
                    {"type": "image"},
                    {"type": "text", "text": f"\n{style.candidate_label}"},
                    {"type": "image"},
                    {"type": "text", "text": f"\n{style.reasons_cue}"},
                ],
            },
        ]
        assert reasons == naive.generate(messages, (query, image), [QUERY_TOKENS, CANDIDATE_TOKENS], 12)
        expected = naive_logit(naive, style, (query, image), style.reasons_cue, reasons, style.cue)
        assert logit(verdict.confidence) == pytest.approx(expected, abs=TOLERANCE)
        assert answer == f"Answer: {'yes' if verdict.confidence >= 0.5 else 'no'}"


def test_explanations_leave_the_verdict_alone(
    qwen_folders: dict[str, Path], images: list[Image.Image], as_photo: AsPhoto, tmp_path: Path
):
    """Asked to explain, a plain style gives the same confidences, and reasons before the word."""
    styles_file = tmp_path / "short.json"
    styles_file.write_text(json.dumps({"simple": {"max_reason_tokens": 5}}))
    verifier = make(qwen_folders["qwen3_vl"], styles_file=styles_file)
    query, *candidates = map(as_photo, images[:3])

    plain = verifier.verify(query, candidates)
    explained = verifier.verify(query, candidates, explain=True)

    assert [v.confidence for v in explained] == pytest.approx([v.confidence for v in plain], abs=TOLERANCE)
    for verdict, other in zip(explained, plain, strict=True):
        reasons, answer = verdict.response.rsplit("\n", 1)
        assert reasons
        assert answer == f"Answer: {other.response}"


def test_a_warm_match_looks_at_the_query_alone(
    qwen_folders: dict[str, Path], images: list[Image.Image], as_photo: AsPhoto, monkeypatch: pytest.MonkeyPatch
):
    """Gallery photos seen before are neither loaded nor run through the vision tower, and count the same."""
    verifier = make(qwen_folders["qwen3_vl"])
    query, *candidates = map(as_photo, images)
    cold = verifier.verify(query, candidates)
    remembered = [Photo(_refuse_to_load, photo.content_hash) for photo in candidates]

    patches = []
    forward = Qwen3VLVisionModel.forward

    def watched(self: Any, pixels: torch.Tensor, **inputs: Any) -> Any:
        patches.append(len(pixels))
        return forward(self, pixels, **inputs)

    monkeypatch.setattr(Qwen3VLVisionModel, "forward", watched)
    warm = verifier.verify(query, remembered)

    assert [v.confidence for v in warm] == pytest.approx([v.confidence for v in cold], abs=TOLERANCE)
    assert len(patches) == 1
    assert patches[0] <= QUERY_TOKENS * 4


def test_remembered_photos_are_bounded_in_bytes(
    qwen_folders: dict[str, Path], images: list[Image.Image], as_photo: AsPhoto
):
    """The cache never holds more than it may, and a cache of nothing changes no verdict."""
    query, *candidates = map(as_photo, images)
    unbounded = make(qwen_folders["qwen3_vl"])
    expected = [verdict.confidence for verdict in unbounded.verify(query, candidates)]
    for allowed in (0, unbounded.tower.cache.byte_size // 2):
        verifier = make(qwen_folders["qwen3_vl"], cache_bytes=allowed)
        for _ in range(2):
            verdicts = verifier.verify(query, candidates)
            assert [verdict.confidence for verdict in verdicts] == pytest.approx(expected, abs=TOLERANCE)
            assert verifier.tower.cache.byte_size <= allowed


def test_out_of_memory_halves_the_batch(
    qwen_folders: dict[str, Path], images: list[Image.Image], as_photo: AsPhoto, monkeypatch: pytest.MonkeyPatch
):
    """Where seven candidates do not fit at once, halves do, give the same verdicts, and come first for some minutes."""
    query, *candidates = map(as_photo, images)
    verifier = make(qwen_folders["qwen3_vl"])
    expected = [verdict.confidence for verdict in verifier.verify(query, candidates)]
    (whole,) = _count_tokens(verifier, query, candidates)
    lengths = _limit_memory(monkeypatch, tokens=round(0.6 * whole))

    for _ in range(2):
        verdicts = verifier.verify(query, candidates)
        assert [verdict.confidence for verdict in verdicts] == pytest.approx(expected, abs=TOLERANCE)

    assert lengths[0] == whole
    assert max(lengths[1:]) <= 0.6 * whole
    assert len(lengths) == 1 + 2 * 3  # the failed pass, then twice three, three and one candidates


def test_not_even_one_candidate_fits(
    qwen_folders: dict[str, Path], images: list[Image.Image], as_photo: AsPhoto, monkeypatch: pytest.MonkeyPatch
):
    """Without memory for a single candidate the verifier says so, and works again once there is some."""
    query, *candidates = map(as_photo, images[:3])
    verifier = make(qwen_folders["qwen3_vl"])
    verifier.verify(query, candidates)
    with monkeypatch.context() as patch:
        _limit_memory(patch, tokens=0)
        with pytest.raises(OutOfMemory, match="smaller"):
            verifier.verify(query, candidates)

    assert len(verifier.verify(query, candidates)) == 2


def test_a_query_that_does_not_fit_is_reported(
    qwen_folders: dict[str, Path], images: list[Image.Image], as_photo: AsPhoto, monkeypatch: pytest.MonkeyPatch
):
    """Running out of memory over the query, which no smaller batch would mend, is reported with what would."""
    query, *candidates = map(as_photo, images[:3])
    verifier = make(qwen_folders["qwen3_vl"])

    def refuse(*_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError("no memory left")

    monkeypatch.setattr(Qwen3VLTextModel, "forward", refuse)
    with pytest.raises(OutOfMemory, match="lower query_tokens"):
        verifier.verify(query, candidates)


def test_threads_do_not_disturb_each_other(qwen_folders: dict[str, Path], images: list[Image.Image], as_photo: AsPhoto):
    """Calls from several threads at once get the verdicts they would get alone."""
    verifier = make(qwen_folders["qwen3_vl"], both_orders=True)
    photos = list(map(as_photo, images))
    queries = photos[:4]
    alone = [[v.confidence for v in verifier.verify(query, photos[4:])] for query in queries]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda query: verifier.verify(query, photos[4:]), queries * 2))
    for verdicts, expected in zip(together, alone * 2, strict=True):
        assert [verdict.confidence for verdict in verdicts] == pytest.approx(expected, abs=TOLERANCE)


def test_bfloat16_stays_close(
    generation: str, qwen_folders: dict[str, Path], images: list[Image.Image], as_photo: AsPhoto
):
    """In bfloat16 a logit moves by less than 0.25, be a candidate verified alone or among others."""
    query, *candidates = map(as_photo, images)
    exact = make(qwen_folders[generation]).verify(query, candidates)
    verifier = make(qwen_folders[generation], dtype="bfloat16")
    together = verifier.verify(query, candidates)
    alone = [verifier.verify(query, [candidate])[0] for candidate in candidates]
    expected = [logit(verdict.confidence) for verdict in exact]
    assert [logit(verdict.confidence) for verdict in together] == pytest.approx(expected, abs=0.25)
    assert [logit(verdict.confidence) for verdict in alone] == pytest.approx(expected, abs=0.25)


def test_the_fingerprint_names_weights_and_settings(qwen_folders: dict[str, Path]):
    """Other weights, another number format, other budgets and another default style are other fingerprints."""
    folder = qwen_folders["qwen3_vl"]
    base = make(folder).fingerprint
    others = {
        make(qwen_folders["qwen2_vl"]).fingerprint,
        make(folder, dtype="bfloat16").fingerprint,
        make(folder, both_orders=True).fingerprint,
        Qwen3VLVerifier(str(folder), device="cpu").fingerprint,
        make(folder, prompt_style="strict").fingerprint,
    }
    assert len(others | {base}) == 6


def test_a_style_is_named_only_where_it_is_not_the_default(qwen_folders: dict[str, Path]):
    """The default is the same prompt whether it is named or not; another is named with a digest of its texts."""
    verifier = make(qwen_folders["qwen3_vl"])

    assert verifier.style(None) is verifier.style("simple") is None
    assert re.fullmatch(r"strict [0-9a-f]{8}", verifier.style("strict"))
    with pytest.raises(InvalidRequest, match="unknown prompt style"):
        verifier.style("poetic")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"query_tokens": 0}, "query_tokens is 0; accepted: 4 to 16384"),
        ({"candidate_tokens": 99999}, "candidate_tokens is 99999"),
        ({"max_batch": 0}, "max_batch is 0"),
        ({"cache_bytes": -1}, "cache_bytes is -1"),
        ({"device": "gpu"}, "unknown device: 'gpu'"),
        ({"dtype": "float16"}, "float16 is refused"),
        ({"prompt_style": "poetic"}, "unknown prompt style: 'poetic'; known: simple, scenic_guide, strict, chinese"),
    ],
)
def test_settings_out_of_range_are_refused(qwen_folders: dict[str, Path], options: dict[str, Any], message: str):
    """A setting outside its range is refused by name, before anything is loaded."""
    with pytest.raises(InvalidRequest, match=message):
        Qwen3VLVerifier(str(qwen_folders["qwen3_vl"]), **options)


def test_a_missing_model_names_the_ways_out(tmp_path: Path):
    """Without the weights the error says how to get them, and which verifier needs none."""
    with pytest.raises(BackendUnavailable, match=r"HF_ENDPOINT.*geometric"):
        Qwen3VLVerifier(str(tmp_path / "nowhere"))


def _without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def _not_a_qwen(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "llama"}))


def _lose_a_weight(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights.pop("lm_head.weight")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _other_patches(folder: Path) -> None:
    _edit(folder / "preprocessor_config.json", patch_size=14)


def _quantised_in_silence(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["model.language_model.layers.0.mlp.up_proj.weight_scale_inv"] = torch.ones(1)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _quantised_openly(folder: Path) -> None:
    _edit(folder / "config.json", quantization_config={"quant_method": "awq", "bits": 4})


def _no_end_of_reply(folder: Path) -> None:
    for name in ("generation_config.json", "config.json", "tokenizer_config.json"):
        if (folder / name).is_file():
            _edit(folder / name, eos_token_id=None, eos_token=None)
    config = json.loads((folder / "config.json").read_text())
    _edit(folder / "config.json", text_config=config["text_config"] | {"eos_token_id": None})


def _edit(file: Path, **more: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | more))


def _textual_template(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text("{% for m in messages %}{{ m.role }}{% endfor %}")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_without("preprocessor_config.json"), "preprocessor_config.json"),
        (_without("tokenizer.json"), "tokenizer in .* is not this model's"),
        (_without("model.safetensors"), r"has no \*\.safetensors"),
        (_other_patches, "patch_size 16, its preprocessing 14"),
        (_quantised_in_silence, "is quantised .*openai-compatible"),
        (_quantised_openly, "cannot be loaded.*openai-compatible"),
        (_no_end_of_reply, "which token ends a reply"),
        (_not_a_qwen, "is a 'llama'; this verifier runs qwen3_vl"),
        (_lose_a_weight, "lacks 1 weights, e.g. lm_head.weight"),
        (_textual_template, "chat template shows no photos"),
    ],
)
def test_damaged_models_are_refused(
    qwen_folders: dict[str, Path], tmp_path: Path, damage: Callable[[Path], None], message: str
):
    """A folder that is no whole Qwen-VL is refused with what is wrong with it, never half loaded."""
    folder = tmp_path / "damaged"
    shutil.copytree(qwen_folders["qwen3_vl"], folder)
    damage(folder)
    with pytest.raises(BackendUnavailable, match=message):
        Qwen3VLVerifier(str(folder), device="cpu")


def _saved_by_transformers_5(folder: Path) -> None:
    processor = json.loads((folder / "preprocessor_config.json").read_text())
    (folder / "processor_config.json").write_text(json.dumps({"image_processor": processor}))
    (folder / "preprocessor_config.json").unlink()


def _older_template_beside(folder: Path) -> None:
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": "{{ messages | length }}"}))


@pytest.mark.parametrize(
    "edit",
    [
        _saved_by_transformers_5,
        _older_template_beside,
        lambda folder: _edit(folder / "config.json", _attn_implementation="flash_attention_2"),
        lambda folder: _edit(folder / "config.json", note="x"),
    ],
    ids=["transformers 5", "older template", "attention", "note"],
)
def test_the_same_model_described_otherwise_is_the_same(
    qwen_folders: dict[str, Path], tmp_path: Path, edit: Callable[[Path], None]
):
    """Folders as newer tools write them load, and calibrations made with the model hold."""
    folder = Path(shutil.copytree(qwen_folders["qwen3_vl"], tmp_path / "model"))
    edit(folder)

    as_published = Qwen3VLVerifier(str(qwen_folders["qwen3_vl"]), device="cpu")
    assert Qwen3VLVerifier(str(folder), device="cpu").fingerprint == as_published.fingerprint


def test_weights_tied_in_the_text_network_alone_are_tied(qwen_folders: dict[str, Path], tmp_path: Path):
    """Some checkpoints write tie_word_embeddings only in text_config, and leave the output layer out."""
    folder = Path(shutil.copytree(qwen_folders["qwen3_vl"], tmp_path / "model"))
    _lose_a_weight(folder)
    config = json.loads((folder / "config.json").read_text())
    config.pop("tie_word_embeddings", None)
    config["text_config"]["tie_word_embeddings"] = True
    (folder / "config.json").write_text(json.dumps(config))

    network = load_qwen(folder, choose_device("cpu")).network

    assert network.lm_head.weight.data_ptr() == network.model.language_model.embed_tokens.weight.data_ptr()


def test_a_template_kept_apart_is_found(
    qwen_folders: dict[str, Path], images: list[Image.Image], as_photo: AsPhoto, tmp_path: Path
):
    """Older repositories keep the template in chat_template.json; it is used in place of the tokenizer's."""
    folder = tmp_path / "older"
    shutil.copytree(qwen_folders["qwen2_vl"], folder)
    template = (folder / "chat_template.jinja").read_text()
    (folder / "chat_template.jinja").unlink()
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": template}))
    photos = list(map(as_photo, images[:3]))

    verdicts = make(folder).verify(photos[0], photos[1:])

    expected = make(qwen_folders["qwen2_vl"]).verify(photos[0], photos[1:])
    assert [v.confidence for v in verdicts] == [v.confidence for v in expected]


def test_answer_words_must_be_single_tokens(
    qwen_folders: dict[str, Path], images: list[Image.Image], as_photo: AsPhoto, tmp_path: Path
):
    """A style whose answer words this model cannot say in one token is refused by name."""
    styles_file = tmp_path / "odd.toml"
    styles_file.write_text('[odd]\nyes = ["indubitably"]\n')
    with pytest.raises(InvalidRequest, match="style odd answers with indubitably or no"):
        make(qwen_folders["qwen3_vl"], styles_file=styles_file, prompt_style="odd")
    with pytest.raises(InvalidRequest, match="choose shorter words"):
        make(qwen_folders["qwen3_vl"], styles_file=styles_file).verify(
            as_photo(images[0]), [as_photo(images[1])], prompt_style="odd"
        )


def _refuse_to_load() -> Image.Image:
    raise AssertionError("a remembered photo was loaded")


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def _count_tokens(verifier: Qwen3VLVerifier, query: Photo, candidates: Sequence[Photo]) -> list[int]:
    """Give the tokens of every pass of the text network that a verification takes."""
    with pytest.MonkeyPatch.context() as patch:
        lengths = _limit_memory(patch, tokens=1_000_000)
        verifier.verify(query, candidates)
    return lengths


def _limit_memory(monkeypatch: pytest.MonkeyPatch, tokens: int) -> list[int]:
    """Let the text network run out of memory above so many tokens; gives the lengths that it was called with."""
    lengths: list[int] = []
    forward = Qwen3VLTextModel.forward

    def limited(self: Any, *, inputs_embeds: torch.Tensor, **inputs: Any) -> Any:
        lengths.append(inputs_embeds.shape[0] * inputs_embeds.shape[1])
        if lengths[-1] > tokens:
            raise torch.OutOfMemoryError("no memory left")
        return forward(self, inputs_embeds=inputs_embeds, **inputs)

    monkeypatch.setattr(Qwen3VLTextModel, "forward", limited)
    return lengths
