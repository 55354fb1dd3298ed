"""Windows that overlap become one timeline: a weighted mean, heaviest where a window has the most context.

Belongs here: arithmetic on probabilities. Does not belong here: which windows there are (`windows.windows`), the
network (`detect`), events (`postprocess`, next in the flow).
"""

import numpy as np
import numpy.typing as npt

from bgb_assets.runtime.errors import ContractError

STEP_SAMPLES = 16
"""Samples of 256 Hz in one step of a timeline (16 Hz)."""

Floats = npt.NDArray[np.floating]
Integers = npt.NDArray[np.integer]


def stitch(
    window_probabilities: Floats, window_starts: Integers, n: int, window_lengths: Integers | None = None
) -> npt.NDArray[np.float32]:
    """Return the timeline of a recording: at each step the mean of the windows that reach it.

    Weights are a triangle over the window. A step of a window that starts between two steps of the timeline counts
    for both, by the samples it shares with each.

    Args:
        window_probabilities: (k, steps); 960 steps are a window of 60 s.
        window_starts: (k,) first samples, in any order; they need not lie on a step.
        n: Samples of the recording.
        window_lengths: (k,) samples from the start of each window that are signal, the rest being padding or another
            segment; all of them where None.

    Returns:
        (ceil(n / 16),) float32, NaN where no window reaches.

    Raises:
        ContractError: The shapes do not belong together, or a window starts outside the recording.
    """
    probabilities, starts, lengths = _checked(window_probabilities, window_starts, n, window_lengths)
    steps = np.arange(probabilities.shape[1])
    # (k, steps): samples of each step that are signal, and those of them in the earlier of the two timeline steps
    # that it meets.
    signal = np.clip(lengths[:, None] - steps * STEP_SAMPLES, 0, STEP_SAMPLES)
    earlier = np.minimum(signal, (STEP_SAMPLES - starts % STEP_SAMPLES)[:, None])
    first = (starts // STEP_SAMPLES)[:, None] + steps
    # One place more than the timeline has: where a window ends on its last sample nothing is left for the next step.
    size = -(-n // STEP_SAMPLES) + 1
    total, weight = np.zeros(size), np.zeros(size)
    for index, samples in ((first, earlier), (first + 1, signal - earlier)):
        used = samples > 0
        share = (samples * triangle(len(steps)))[used]
        weight += np.bincount(index[used], share, size)
        total += np.bincount(index[used], share * probabilities[used], size)
    with np.errstate(invalid="ignore"):
        return (total / weight)[:-1].astype(np.float32)


def triangle(steps: int) -> npt.NDArray[np.float64]:
    """Return weights that rise to 1 in the middle of a window and are above 0 at both ends: (steps,)."""
    ramp = np.minimum(np.arange(1, steps + 1), np.arange(steps, 0, -1))
    weights: npt.NDArray[np.float64] = ramp / ramp.max(initial=1)
    return weights


def _checked(
    window_probabilities: Floats, window_starts: Integers, n: int, window_lengths: Integers | None
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return probabilities, starts and lengths that fit together; no length reaches beyond the recording."""
    probabilities = np.asarray(window_probabilities, dtype=np.float64)
    starts = np.asarray(window_starts, dtype=np.int64)
    full = probabilities.shape[-1] * STEP_SAMPLES
    lengths = np.full(starts.shape, full) if window_lengths is None else np.asarray(window_lengths, dtype=np.int64)
    if probabilities.ndim != 2 or not starts.shape == lengths.shape == probabilities.shape[:1]:
        raise ContractError(
            f"stitching: windows {probabilities.shape!r}, starts {starts.shape!r}, lengths {lengths.shape!r}; "
            "expected (k, steps), (k,) and (k,)"
        )
    outside = starts[(starts < 0) | (starts >= n)]
    if outside.size:
        raise ContractError(f"stitching: windows start at {outside.tolist()!r}, outside the {n} samples")
    return probabilities, starts, np.minimum(np.minimum(lengths, full), n - starts)
