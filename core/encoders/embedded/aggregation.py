"""From the two networks' features to one unit vector, with statistics fixed at training time.

VLAD: Jégou et al., "Aggregating local descriptors into a compact image representation", CVPR 2010, with the
intra-normalisation of Arandjelović and Zisserman, "All about VLAD", CVPR 2013. Whitening with shrinkage: the few
strongest directions, in which all photos resemble each other, are damped; directions that the training photos never
showed pass unchanged, so statistics from a few hundred photos do no harm on others.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Whitening:
    """Centres a vector and damps its ``R`` strongest directions.

    Attributes:
        mean: float32 [D].
        directions: float32 [R, D], orthonormal rows.
        damping: float32 [R] in [0, 1): the share of each direction that is taken away.
    """

    mean: Array
    directions: Array
    damping: Array

    def apply(self, vectors: Array) -> Array:
        """Whiten float32 [N, D]; rows come out with L2 norm 1."""
        centred = vectors - self.mean
        damped = (centred - ((centred @ self.directions.T) * self.damping) @ self.directions).astype(np.float32)
        return unit(damped)


@dataclass(frozen=True, slots=True, eq=False)
class Statistics:
    """Everything learned once by ``scripts/train_embedded_encoder.py``.

    Attributes:
        centroids: float32 [C, d], the VLAD codebook.
        descriptor_axes: float32 [d, e], the main axes of XFeat descriptors.
        local: whitening of the VLAD vector, [C * e].
        semantic: whitening of the GeM vector, [S].
        semantic_axes: float32 [S, s], the axes along which ImageNet's classes differ most.
    """

    centroids: Array
    descriptor_axes: Array
    local: Whitening
    semantic: Whitening
    semantic_axes: Array

    @property
    def dim(self) -> int:
        """Length of the joined vector."""
        return int(self.centroids.shape[0] * self.descriptor_axes.shape[1] + self.semantic_axes.shape[1])


def unit(vectors: Array) -> Array:
    """Scale the rows of float32 [..., D] to L2 norm 1; a zero row stays zero."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: Array = (vectors / np.maximum(norms, 1e-12)).astype(np.float32)
    return scaled


def vlad(descriptors: Array, centroids: Array, axes: Array) -> Array:
    """Aggregate the residuals of local descriptors to their nearest centroids.

    Args:
        descriptors: float32 [P, d]; P may be 0, which gives the zero vector.
        centroids: float32 [C, d].
        axes: float32 [d, e], onto which residuals are projected.

    Returns:
        float32 [C * e], every centroid's part and the whole of L2 norm 1.
    """
    nearest = np.argmax(descriptors @ centroids.T - 0.5 * (centroids**2).sum(axis=1), axis=1)
    residuals = (descriptors - centroids[nearest]) @ axes
    sums = np.zeros((len(centroids), axes.shape[1]), dtype=np.float32)
    np.add.at(sums, nearest, residuals)
    return unit(unit(sums).ravel())


def join(local: Array, semantic: Array, statistics: Statistics) -> Array:
    """Whiten both halves and join them with equal weight.

    Args:
        local: float32 [N, C * e] VLAD vectors.
        semantic: float32 [N, S] GeM vectors of L2 norm 1.
        statistics: the fixed statistics.

    Returns:
        float32 [N, D] of L2 norm 1.
    """
    first = statistics.local.apply(local)
    second = unit(statistics.semantic.apply(semantic) @ statistics.semantic_axes)
    return unit(np.concatenate([first, second], axis=1))


def save(path: Path, statistics: Statistics) -> None:
    """Write all but the semantic axes, which the classifier yields, as a compressed npz of float16 arrays."""
    arrays = {"centroids": statistics.centroids, "descriptor_axes": statistics.descriptor_axes}
    for name, part in (("local", statistics.local), ("semantic", statistics.semantic)):
        arrays |= {f"{name}_mean": part.mean, f"{name}_directions": part.directions, f"{name}_damping": part.damping}
    with path.open("wb") as file:
        # NumPy types its keyword arrays as if they were its one option, allow_pickle.
        halved: dict[str, Any] = {name: array.astype(np.float16) for name, array in arrays.items()}
        np.savez_compressed(file, **halved)


def load(path: Path, semantic_axes: Array) -> Statistics:
    """Read what ``save`` wrote; the semantic axes come from the network's own classifier."""
    with np.load(path) as stored:
        arrays = {name: stored[name].astype(np.float32) for name in stored.files}
    parts = [
        Whitening(arrays[f"{name}_mean"], arrays[f"{name}_directions"], arrays[f"{name}_damping"])
        for name in ("local", "semantic")
    ]
    return Statistics(arrays["centroids"], arrays["descriptor_axes"], parts[0], parts[1], semantic_axes)
