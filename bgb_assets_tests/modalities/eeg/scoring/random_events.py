"""Random lists of events, and the masks and loops that the scorers are held against."""

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.annotations.intervals import unite
from bgb_assets.modalities.eeg.scoring.events import Events

EMPTY = np.empty((0, 2))


def events(*pairs: tuple[float, float]) -> Events:
    """Return events as scorers take them."""
    return np.array(pairs, np.float64).reshape(-1, 2)


def random_pair(rng: np.random.Generator) -> tuple[Events, Events, float]:
    """Return two sorted, united lists and a duration of whole seconds; some events are long, some touch the ends."""
    duration_s = float(rng.integers(60, 7_200))
    return _random(rng, duration_s), _random(rng, duration_s), duration_s


def _random(rng: np.random.Generator, duration_s: float) -> Events:
    count = int(rng.integers(0, 12))
    decimals = int(rng.integers(0, 5))
    onsets = rng.uniform(0, duration_s, count)
    lengths = rng.lognormal(3.5, 1.3, count)
    pairs = np.round(np.stack([onsets, np.minimum(onsets + lengths, duration_s)], 1), decimals)
    return unite(np.minimum(pairs, duration_s))


def shuffled(rng: np.random.Generator, united: Events) -> Events:
    """Return events whose union is the same: halves that overlap, nested ones, in another order."""
    if not len(united):
        return united
    low, high = united.T
    heads = np.stack([low, low + 0.7 * (high - low)], 1)
    tails = np.stack([low + 0.4 * (high - low), high], 1)
    inner = np.stack([low + 0.2 * (high - low), low + 0.5 * (high - low)], 1)
    pieces: NDArray[np.float64] = np.concatenate([heads, tails, inner])
    return rng.permutation(pieces)
