"""Computes memory, disk, GPU time and cost of ten thousand to a hundred million images from named figures.

    python -m benchmarks.scale_model

Nothing is measured here. Every input has its source and its kind: measured in this project, published by others,
computed from such figures, or assumed. docs/scale.md has the tables.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["measured", "published", "computed", "assumed"]
Table = list[tuple[str, ...]]

SIZES = (10_000, 1_000_000, 10_000_000, 100_000_000)
HOURS_PER_MONTH = 730


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its unit, kind and source."""

    value: float
    unit: str
    kind: Kind
    source: str


DIM = Figure(1280, "numbers", "published", "DINOv3 ViT-H/16+, hidden size; read from the model, never written down")
ROW_BYTES = Figure(6_900, "bytes", "measured", "PostgreSQL 18.4, 3,000 rows with 1280-d vectors; SQLite 6,000")
FEATURE_BYTES = Figure(98_600, "bytes", "measured", "XFeat features of the embedded encoder; DINOv3 stores none")
PREVIEW_BYTES = Figure(46_000, "bytes", "measured", "120 drawn photos, longer side 640")
ORIGINAL_BYTES = Figure(3e6, "bytes", "assumed", "a phone's 12-megapixel JPEG")
EXACT_S = Figure(0.363e-6, "s per vector", "measured", "FAISS flat, 1280-d float32, 1M vectors, one thread")
EXACT_FP16_S = Figure(0.266e-6, "s per vector", "measured", "the same with float16 codes; recall 1.0")
IVF_S = Figure(
    18.6e-6, "s by the root of vectors", "measured", "64 of 1,000 lists in float16, 1M vectors, recall 1.0, one thread"
)
LOAD_S = Figure(25e-6, "s per vector", "measured", "rows of SQLite to a searchable flat index, 1M vectors")
MILVUS_DELIVERED = Figure(
    300, "vectors/s", "measured", "by the outbox until HNSW is built, 100k vectors, Milvus 2.3.5 standalone on 2 cores"
)
HNSW_EXTRA = Figure(1.05, "x vectors", "computed", "float32 vectors and graph of M = 24 in Milvus' memory, rounded up")
MERGE_RATE = Figure(
    70, "photos/s", "measured", "scripts/merge_galleries.py, photos of 1.7 MB, 2 shared cores and their disk: 34 to 85"
)
CPU_ENCODING = Figure(2.8, "photos/s", "measured", "embedded encoder, the same run, one process of 2 shared cores")
DECODE_S = Figure(0.044, "CPU-s per photo", "measured", "12-megapixel JPEG, reduced while decoding")
GATEWAY_RATE = Figure(1_000, "requests/s", "measured", "one process handing on 300 KB over aiohttp; a match is two")
MATRIX_RATE = Figure(790e12, "FLOP/s", "measured", "one H100, bfloat16 matrices; by this project's founders, before it")
PHOTO_FLOP = Figure(344e9, "FLOP per photo", "computed", "ViT-H/16+ at 224 pixels; benchmarks/encoder.py")
VERIFY_FLOOR_S = Figure(
    0.040, "GPU-s per match", "computed", "five candidates, 256 tokens each, shared prefix, one H100"
)
GPU_SHARE = Figure(0.4, "of the floors' speed", "assumed", "the bar of docs/gpu.md; no GPU has run this product yet")
GPU_PRICE = Figure(3.0, "$ per hour", "assumed", "one H100, rented by the hour")
CORE_PRICE = Figure(0.04, "$ per hour", "assumed", "one CPU core")
MEMORY_PRICE = Figure(3.0, "$ per GB and month", "assumed", "what a larger machine costs more")
DISK_PRICE = Figure(0.1, "$ per GB and month", "assumed", "SSD for the database")
STORE_PRICE = Figure(0.023, "$ per GB and month", "assumed", "S3 storage, traffic not counted")

ENCODE_GPU_S = PHOTO_FLOP.value / MATRIX_RATE.value / GPU_SHARE.value
VERIFY_GPU_S = VERIFY_FLOOR_S.value / GPU_SHARE.value


def inputs() -> Table:
    """List all inputs."""
    named = [(name, figure) for name, figure in globals().items() if isinstance(figure, Figure)]
    rows = [
        (name.lower().replace("_", " "), f"{figure.value:,g} {figure.unit}", figure.kind, figure.source)
        for name, figure in named
    ]
    return [("input", "value", "kind", "where from"), *rows]


def keeping() -> Table:
    """Compute memory and disk."""
    rows: Table = [
        ("", *(f"{size:,}" for size in SIZES)),
        _row("vectors in memory, float32 (`faiss`)", 4 * DIM.value),
        _row("the same, float16", 2 * DIM.value),
        _row("Milvus, HNSW, one copy", 4 * DIM.value * HNSW_EXTRA.value),
        _row("database: rows and vectors", ROW_BYTES.value),
        _row("database: local features, embedded encoder only", FEATURE_BYTES.value),
        _row("photos: previews", PREVIEW_BYTES.value),
        _row("photos: originals", ORIGINAL_BYTES.value),
    ]
    memory = 4 * DIM.value * HNSW_EXTRA.value * MEMORY_PRICE.value
    disk = ROW_BYTES.value * DISK_PRICE.value
    store = (PREVIEW_BYTES.value + ORIGINAL_BYTES.value) * STORE_PRICE.value
    return [*rows, _dollars("$ per month, all but features", (memory + disk + store) / 1e9)]


def building() -> Table:
    """Compute time and cost of building a gallery."""
    return [
        ("", *(f"{size:,}" for size in SIZES)),
        _hours("encoding, GPU-hours", ENCODE_GPU_S),
        _dollars("the same, $", ENCODE_GPU_S / 3600 * GPU_PRICE.value),
        _hours("decoding, core-hours", DECODE_S.value),
        _hours("encoding on CPUs (embedded), hours of one process", 1 / CPU_ENCODING.value),
        _hours("merging shards into one folder, hours", 1 / MERGE_RATE.value),
        _hours("vectors into Milvus, hours", 1 / MILVUS_DELIVERED.value),
        _hours("opening a replica that searches in memory, hours", LOAD_S.value),
    ]


def matching() -> Table:
    """Compute the cost of a million matches; only the search depends on the number of images."""
    gpu_s, cpu_s = ENCODE_GPU_S + VERIFY_GPU_S, DECODE_S.value + 2 / GATEWAY_RATE.value
    rows: Table = [
        ("a million matches", "seconds", "$"),
        _priced("encoding the query, GPU", ENCODE_GPU_S, GPU_PRICE),
        _priced("verifying five candidates with Qwen3-VL-8B, GPU", VERIFY_GPU_S, GPU_PRICE),
        _priced("decoding and two hops, CPU", cpu_s, CORE_PRICE),
    ]
    for size in SIZES[:3]:
        rows.append(_priced(f"exact search among {size:,}, float16, CPU", EXACT_FP16_S.value * size, CORE_PRICE))
    for size in SIZES[1:3]:
        rows.append(_priced(f"`ivf` among {size:,}, CPU", IVF_S.value * math.sqrt(size), CORE_PRICE))
    total = gpu_s / 3600 * GPU_PRICE.value + cpu_s / 3600 * CORE_PRICE.value
    return [*rows, ("all but the search", "", f"{total * 1e6:,.0f}")]


def saturation() -> Table:
    """Compute the capacity of one process of every kind, and how many a hundred matches per second need."""
    capacities = [
        ("gateway process", GATEWAY_RATE.value / 2, "measured hop, two for each match"),
        ("core that decodes", 1 / DECODE_S.value, "measured"),
        ("GPU that encodes", 1 / ENCODE_GPU_S, "assumed share of a computed floor"),
        ("GPU under vLLM", 1 / VERIFY_GPU_S, "assumed share of a computed floor"),
        *(
            (
                f"core that searches {size:,} exactly, float16",
                1 / (EXACT_FP16_S.value * size),
                "measured" if size == SIZES[1] else "computed",
            )
            for size in SIZES[:3]
        ),
        (f"core that searches {SIZES[1]:,} with `ivf`", 1 / (IVF_S.value * math.sqrt(SIZES[1])), "measured"),
        (f"core that searches {SIZES[2]:,} with `ivf`", 1 / (IVF_S.value * math.sqrt(SIZES[2])), "computed"),
    ]
    rows = [(name, f"{rate:,.3g}", f"{100 / rate:,.3g}", of) for name, rate, of in capacities]
    return [("one", "matches/s", "for 100 matches/s", "kind"), *rows]


def as_markdown(table: Table) -> str:
    """Write a table as Markdown."""
    lines = ["| " + " | ".join(cells) + " |" for cells in table]
    return "\n".join([lines[0], "|---" * len(table[0]) + "|", *lines[1:]])


def main(argv: Sequence[str] | None = None) -> int:
    """Print the inputs and the tables."""
    if argv:
        raise SystemExit("takes no arguments: change the figures at the head of the file")
    for table in (inputs(), keeping(), building(), matching(), saturation()):
        print(as_markdown(table), end="\n\n")
    return 0


def _row(name: str, bytes_per_image: float) -> tuple[str, ...]:
    return (name, *(_size(bytes_per_image * size) for size in SIZES))


def _size(byte_count: float) -> str:
    for unit, factor in (("TB", 1e12), ("GB", 1e9)):
        if byte_count >= factor:
            return f"{byte_count / factor:,.3g} {unit}"
    return f"{byte_count / 1e6:,.3g} MB"


def _hours(name: str, seconds_per_image: float) -> tuple[str, ...]:
    return (name, *(_short(seconds_per_image * size / 3600) for size in SIZES))


def _dollars(name: str, per_image: float) -> tuple[str, ...]:
    return (name, *(_short(per_image * size) for size in SIZES))


def _priced(name: str, seconds: float, per_hour: Figure) -> tuple[str, ...]:
    return name, f"{seconds * 1e6:,.0f}", f"{seconds * 1e6 / 3600 * per_hour.value:,.2f}"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


if __name__ == "__main__":
    raise SystemExit(main())
