"""A network over windows of a normalised signal: on a whole segment, and as a stream would have heard it.

Belongs here: which windows, batches, devices. Does not belong here: where the signal comes from (`detect`,
`live_signal`), events (`postprocess`). torch and numpy only. Next in the flow: `findings`.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.detection.stitching import STEP_SAMPLES, stitch
from bgb_assets.modalities.eeg.electrodes import RATE_HZ
from bgb_assets.runtime.errors import TrainingError

WINDOW_SAMPLES = 60 * RATE_HZ
STRIDE_SAMPLES = 30 * RATE_HZ
BATCH = 8

Signal = NDArray[np.int16]
"""(n, channels), time-major, in steps of `scale`."""
Probabilities = NDArray[np.float32]


class WindowNetwork:
    """A network in use: windows of integers in, probabilities out.

    Args:
        network: (B, C, T) float32 and a mask (B, C) bool -> logits (B, T / 16).
        scale: What one step of an integer stands for.
        mask: (C,) True where a channel is known.
        device: Where it runs; a GPU where there is one, if None.
    """

    def __init__(
        self, network: torch.nn.Module, scale: float, mask: NDArray[np.bool_], device: torch.device | None = None
    ) -> None:
        self._device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._network = network.eval().to(self._device)
        self._half = self._device.type == "cuda" and torch.cuda.is_bf16_supported()
        self._scale = float(np.float32(scale))
        self._mask = torch.from_numpy(np.asarray(mask, dtype=bool)).to(self._device)

    def __call__(self, windows: Signal) -> Probabilities:
        """Return the probabilities (k, steps) of windows (k, samples, channels).

        Raises:
            TrainingError: The network gives something that is no number.
        """
        signal = torch.from_numpy(windows).to(self._device).transpose(1, 2).float() * self._scale
        with torch.inference_mode(), torch.autocast(self._device.type, torch.bfloat16, enabled=self._half):
            logits = self._network(signal.contiguous(), self._mask.expand(len(windows), -1))
            found: Probabilities = torch.sigmoid(logits.float()).cpu().numpy()
        if not np.isfinite(found).all():
            raise TrainingError(f"the network gives {found[~np.isfinite(found)][0]} for a window; train it again")
        return found


def covering_starts(n: int, window: int = WINDOW_SAMPLES, stride: int = STRIDE_SAMPLES) -> NDArray[np.int64]:
    """Return where windows start so that every sample is in one: one each stride, and one that ends at the last.

    A segment shorter than a window has one, padded.
    """
    starts = np.arange(0, max(n - window, 0) + 1, stride, dtype=np.int64)
    return starts if starts[-1] >= n - window else np.append(starts, n - window)


def timeline(network: WindowNetwork, signal: Signal) -> Probabilities:
    """Return the probabilities of one segment, (ceil(n / 16),): windows that overlap by half, stitched."""
    starts = covering_starts(len(signal))
    found = [network(_windows(signal, batch)) for batch in _batches(starts)]
    return stitch(np.concatenate(found), starts, len(signal))


def _batches(starts: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    return (starts[first : first + BATCH] for first in range(0, len(starts), BATCH))


def _windows(signal: Signal, starts: NDArray[np.int64]) -> Signal:
    """Return windows (k, samples, channels); what lies beyond the end is 0."""
    windows = np.zeros((len(starts), WINDOW_SAMPLES, signal.shape[1]), dtype=np.int16)
    for window, start in zip(windows, starts.tolist(), strict=True):
        piece = signal[start : start + WINDOW_SAMPLES]
        window[: len(piece)] = piece
    return windows


def steps_of(n: int) -> int:
    """Return the steps of a timeline of n samples, the last one perhaps not whole."""
    return -(-n // STEP_SAMPLES)
