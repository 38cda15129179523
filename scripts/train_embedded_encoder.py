"""Learn the embedded encoder's codebook and whitening from freely licensed photographs.

The photographs come with the packages scikit-image and scikit-learn (public domain and CC licences, listed in
docs/embedded-encoder.md); every photograph is cropped, mirrored, relit and blurred many times. The result,
core/encoders/embedded/statistics.npz, is part of the repository: run this only to change it.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from core.encoders.embedded.aggregation import Statistics, Whitening, save, vlad
from core.encoders.embedded.encoder import SEMANTIC_DIM
from core.encoders.embedded.semantic import SemanticFeatures
from core.local_features.xfeat import FIRST_LOOK, XFeatExtractor

SKIMAGE_PHOTOS = [
    "astronaut",
    "brick",
    "camera",
    "chelsea",
    "clock_motion",
    "coffee",
    "coins",
    "grass",
    "gravel",
    "hubble_deep_field",
    "ihc",
    "moon",
    "motorcycle_left",
    "motorcycle_right",
    "page",
    "retina",
    "rocket",
    "text",
]
CENTROIDS, DESCRIPTOR_AXES, DIRECTIONS = 64, 32, 96
SHRINKAGE = 0.1  # of the strongest eigenvalue; between 0.03 and 0.3, recall changes by less than 0.02

Array = NDArray[np.float32]


def main(argv: Sequence[str] | None = None) -> int:
    """Train and write the statistics."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(__file__).parents[1] / "core" / "encoders" / "embedded" / "statistics.npz"
    parser.add_argument("--output", type=Path, default=default)
    parser.add_argument("--crops", type=int, default=25, help="augmented crops per photograph")
    arguments = parser.parse_args(argv)

    draw = np.random.RandomState(0)  # its stream is frozen by NumPy's policy, so the result can be reproduced
    extractor, semantic = XFeatExtractor(), SemanticFeatures()
    descriptors, gem = [], []
    for photo in photographs():
        for _ in range(arguments.crops):
            crop = augment(photo, draw)
            view = extractor.extract(crop, FIRST_LOOK[:1]).views[0]
            descriptors.append(view.descriptors.astype(np.float32))
            gem.append(semantic.describe(crop))
    sample = np.concatenate([found[:300] for found in descriptors])
    centroids = cluster(sample, CENTROIDS, draw)
    axes = principal_axes(sample, DESCRIPTOR_AXES)
    local = np.stack([vlad(found, centroids, axes) for found in descriptors])
    statistics = Statistics(
        centroids, axes, whitening(local), whitening(np.stack(gem)), semantic.class_axes(SEMANTIC_DIM)
    )
    save(arguments.output, statistics)
    size = arguments.output.stat().st_size / 1e6
    print(f"{len(descriptors)} crops -> {arguments.output} ({size:.2f} MB, {statistics.dim}-d embeddings)")
    return 0


def photographs() -> Iterator[Image.Image]:
    """Load the freely licensed photographs, RGB."""
    import skimage
    import sklearn

    for name in SKIMAGE_PHOTOS:
        (path,) = (Path(skimage.__file__).parent / "data").glob(f"{name}.*")
        yield Image.open(path).convert("RGB")
    for path in sorted((Path(sklearn.__file__).parent / "datasets" / "images").glob("*.jpg")):
        yield Image.open(path).convert("RGB")


def augment(photo: Image.Image, draw: np.random.RandomState) -> Image.Image:
    """Make a random crop of 35-100 % of the sides, relit, maybe mirrored or blurred; its longer side is 640 pixels."""
    share, squeeze = draw.uniform(0.35, 1), draw.uniform(0.7, 1)
    width, height = int(photo.width * share), int(photo.height * share * squeeze)
    left, top = draw.randint(0, photo.width - width + 1), draw.randint(0, photo.height - height + 1)
    crop = photo.crop((left, top, left + width, top + height))
    scale = 640 / max(crop.size)
    crop = crop.resize((max(64, round(width * scale)), max(64, round(height * scale))))
    if draw.uniform() < 0.5:
        crop = ImageOps.mirror(crop)
    crop = ImageEnhance.Brightness(crop).enhance(draw.uniform(0.5, 1.5))
    crop = ImageEnhance.Color(crop).enhance(draw.uniform(0.2, 1.6))
    crop = ImageEnhance.Contrast(crop).enhance(draw.uniform(0.5, 1.5))
    if draw.uniform() < 0.3:
        crop = crop.filter(ImageFilter.GaussianBlur(draw.uniform(0, 2)))
    return crop


def cluster(points: Array, count: int, draw: np.random.RandomState, rounds: int = 40) -> Array:
    """Compute float32 [count, d] centroids of float32 [P, d] points by Lloyd's k-means."""
    centroids = points[draw.choice(len(points), count, replace=False)]
    for _ in range(rounds):
        nearest = np.argmax(points @ centroids.T - 0.5 * (centroids**2).sum(axis=1), axis=1)
        for index in range(count):
            members = points[nearest == index]
            centroids[index] = members.mean(axis=0) if len(members) else points[draw.randint(len(points))]
    return centroids


def principal_axes(points: Array, count: int) -> Array:
    """Compute the ``count`` strongest axes of the uncentred points: float32 [d, count]."""
    return np.linalg.svd(points.T @ points)[0][:, :count].astype(np.float32)


def whitening(vectors: Array) -> Whitening:
    """Compute whitening with shrinkage (see core.encoders.embedded.aggregation) from float32 [N, D] vectors."""
    mean = vectors.mean(axis=0)
    _, singular, directions = np.linalg.svd(vectors - mean, full_matrices=False)
    eigenvalues = singular[:DIRECTIONS] ** 2 / len(vectors)
    floor = SHRINKAGE * eigenvalues[0]
    damping = 1 - np.sqrt(floor / (eigenvalues + floor))
    return Whitening(mean, directions[:DIRECTIONS].astype(np.float32), damping.astype(np.float32))


if __name__ == "__main__":
    raise SystemExit(main())
