"""Click tracks: the simplest audio whose tempo is known exactly."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

RATE_HZ = 22_050
CLICK = np.exp(-np.arange(800) / 120) * np.sin(2 * np.pi * 1_500 * np.arange(800) / RATE_HZ)


def clicks(times_s: ArrayLike, seconds: float, seed: int = 0, noise: float = 0.01) -> NDArray[np.int16]:
    """Return PCM with a click at each time, over noise."""
    samples = np.random.default_rng(seed).normal(0, noise, round(seconds * RATE_HZ) + len(CLICK))
    for start in np.rint(np.asarray(times_s, np.float64) * RATE_HZ).astype(int).tolist():
        samples[start : start + len(CLICK)] += CLICK
    return np.asarray(samples / np.abs(samples).max() * 32_767, np.int16)
