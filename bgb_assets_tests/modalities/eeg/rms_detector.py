"""What a detector must beat: the size of the signal between 1 and 25 Hz, over all electrodes, in windows of 5 s.

Steps are of 1/16 s. The signal is normalised by recording and channel, as features are.
"""

from collections.abc import Sequence

import numpy as np
from scipy.signal import butter, sosfiltfilt

from bgb_assets.modalities.eeg.electrodes import RATE_HZ
from bgb_assets.modalities.eeg.scoring.szcore import szcore_event

STEP_HZ = 16
_WINDOW = 5 * STEP_HZ
_THRESHOLDS = 80


def rms(signal: np.ndarray) -> np.ndarray:
    """Return (steps,) of a signal (19, samples) at 256 Hz."""
    filtered = sosfiltfilt(butter(3, [1.0, 25.0], "bandpass", fs=RATE_HZ, output="sos"), _scaled(signal), axis=1)
    return np.sqrt(_over_window(filtered**2))


def line_length(signal: np.ndarray) -> np.ndarray:
    """Return (steps,) of a signal (19, samples) at 256 Hz, all bands."""
    scaled = _scaled(signal)
    return _over_window(np.abs(np.diff(scaled, axis=1, prepend=scaled[:, :1])))


def events_above(values: np.ndarray, threshold: float) -> np.ndarray:
    """Return (k, 2) seconds; gaps of at most 2 s are closed, then what is shorter than 3 s is left out."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], values >= threshold, [0]]).astype(int)))
    spans = edges.reshape(-1, 2) / STEP_HZ
    first = np.concatenate([[True], spans[1:, 0] - spans[:-1, 1] > 2.0])[: len(spans)]
    merged = np.stack([spans[first, 0], spans[np.roll(first, -1), 1]], axis=1)
    return merged[merged[:, 1] - merged[:, 0] >= 3.0]


def event_f1(values: Sequence[np.ndarray], seizures: Sequence[np.ndarray], threshold: float) -> float:
    """Return F1 of SzCORE's event scorer over recordings."""
    counted = [
        szcore_event(reference, events_above(one, threshold), len(one) / STEP_HZ)
        for one, reference in zip(values, seizures, strict=True)
    ]
    tp, fp, reference = (sum(getattr(one, name) for one in counted) for name in ("tp", "fp", "reference"))
    return 2 * tp / (tp + fp + reference)


def tuned_threshold(values: Sequence[np.ndarray], seizures: Sequence[np.ndarray]) -> float:
    """Return the quantile of the values with the largest F1."""
    tried = np.quantile(np.concatenate(values), np.linspace(0.5, 0.999, _THRESHOLDS))
    return float(max(tried, key=lambda threshold: event_f1(values, seizures, threshold)))


def _scaled(signal: np.ndarray) -> np.ndarray:
    return (signal - signal.mean(1, keepdims=True)) / (signal.std(1, keepdims=True) + 1e-8)


def _over_window(values: np.ndarray) -> np.ndarray:
    steps = values.mean(axis=0).reshape(-1, RATE_HZ // STEP_HZ).mean(axis=1)
    return np.convolve(steps, np.full(_WINDOW, 1 / _WINDOW), "same")
