"""Logistic regression by Newton's method, for the rules that are fitted to evaluation photos."""

import numpy as np
from numpy.typing import NDArray


def fit_logistic(
    x: NDArray[np.float64], y: NDArray[np.float64], weights: NDArray[np.float64], penalty: float = 1.0
) -> NDArray[np.float64]:
    """Fit ``p(y = 1) = 1 / (1 + exp(-x w))``.

    Args:
        x: float64 [N, F]; the first column is all 1 and is not penalised.
        y: float64 [N], 0 or 1.
        weights: float64 [N], weights of the rows.
        penalty: factor of the squared coefficients, which are in units of their column's standard deviation.

    Returns:
        The coefficients, float64 [F].
    """
    scale = x.std(axis=0)
    scale[0] = 1.0
    scaled = x / np.maximum(scale, 1e-9)
    ridge = penalty * np.diag([0.0] + [1.0] * (x.shape[1] - 1))
    fitted = np.zeros(x.shape[1])
    for _ in range(60):
        probability = 1 / (1 + np.exp(-np.clip(scaled @ fitted, -40, 40)))
        gradient = scaled.T @ (weights * (probability - y)) + ridge @ fitted
        curvature = (scaled * (weights * probability * (1 - probability))[:, None]).T @ scaled + ridge
        fitted -= np.linalg.solve(curvature + 1e-9 * np.eye(len(fitted)), gradient)
    return fitted / np.maximum(scale, 1e-9)
