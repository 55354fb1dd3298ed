"""The timeline of a signal that is still coming: every 2 s the network hears the last 60 s.

Of each window the block counts that ends 4 s before now, so that the network has heard what follows it. The first
30 s are not evaluated: filters and statistics are settling.

Belongs here: which window is heard when, and which of its steps count; live and, in batches, afterwards. Does not
belong here: the signal (`live_signal`), events (`live_events`).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from bgb_assets.modalities.eeg.detection.inference import (
    BATCH,
    WINDOW_SAMPLES,
    Probabilities,
    Signal,
    WindowNetwork,
    steps_of,
)
from bgb_assets.modalities.eeg.detection.stitching import STEP_SAMPLES
from bgb_assets.modalities.eeg.electrodes import RATE_HZ

HOP_SAMPLES = 2 * RATE_HZ
LATENCY_SAMPLES = 4 * RATE_HZ
WARM_UP_STEPS = 30 * RATE_HZ // STEP_SAMPLES


class Hearing(NamedTuple):
    """One window and the steps of the timeline that it gives: `first` to `last`, all but those of the warm-up.

    Attributes:
        start: First sample of the window.
        stop: The sample after the last that is heard: what comes later is not, though it may be there already.
        first: First step.
        last: The step after the last.
    """

    start: int
    stop: int
    first: int
    last: int


class LiveTimeline:
    """Takes a signal in pieces of any length and gives its timeline.

    Args:
        network: What hears the windows.
        channels: Of the signal.
    """

    def __init__(self, network: WindowNetwork, channels: int) -> None:
        self._network = network
        self._held: Signal = np.zeros((0, channels), dtype=np.int16)  # the last 60 s and what follows
        self._held_start = 0
        self._heard = 0  # samples up to the last window's end

    @property
    def samples(self) -> int:
        """How many came so far."""
        return self._held_start + len(self._held)

    def push(self, signal: Signal) -> Probabilities:
        """Take the next (n, channels); return the steps that are now known, NaN in the warm-up."""
        self._held = np.concatenate([self._held, signal])
        found = []
        while self.samples >= self._heard + HOP_SAMPLES:
            self._heard += HOP_SAMPLES
            found.append(self._hear(hearing_at(self._heard)))
        self._forget()
        return _joined(found)

    def close(self) -> Probabilities:
        """Return the rest: one window that ends at the last sample gives all steps that are not known yet."""
        return self._hear(last_hearing(self.samples))

    def _hear(self, hearing: Hearing) -> Probabilities:
        if hearing.last <= WARM_UP_STEPS:
            return np.full(hearing.last - hearing.first, np.nan, np.float32)
        window = _padded(self._held[hearing.start - self._held_start : hearing.stop - self._held_start])
        return _counted(self._network(window[None])[0], hearing)

    def _forget(self) -> None:
        # The window that closes the stream may begin where the next one would.
        drop = max(self._heard - WINDOW_SAMPLES, 0) - self._held_start
        if drop > 0:
            self._held = self._held[drop:].copy()
            self._held_start += drop


def heard_afterwards(network: WindowNetwork, signal: Signal) -> Probabilities:
    """Return what `LiveTimeline` would have given of a whole signal, windows in batches."""
    hearings = [hearing for hearing in hearings_of(len(signal)) if hearing.last > hearing.first]
    silent = [np.full(one.last - one.first, np.nan, np.float32) for one in hearings if one.last <= WARM_UP_STEPS]
    rest = hearings[len(silent) :]
    found = []
    for batch in (rest[first : first + BATCH] for first in range(0, len(rest), BATCH)):
        windows = np.stack([_padded(signal[one.start : one.stop]) for one in batch])
        probabilities = network(windows)
        found += [_counted(window, hearing) for window, hearing in zip(probabilities, batch, strict=True)]
    return _joined([*silent, *found])


def hearings_of(samples: int) -> Iterator[Hearing]:
    """Yield all windows of a stream that ends after so many samples, in order."""
    for now in range(HOP_SAMPLES, samples + 1, HOP_SAMPLES):
        yield hearing_at(now)
    yield last_hearing(samples)


def hearing_at(now: int) -> Hearing:
    """Return the window that is heard when so many samples have come, a whole number of hops."""
    last = max(now - LATENCY_SAMPLES, 0) // STEP_SAMPLES
    first = max(now - LATENCY_SAMPLES - HOP_SAMPLES, 0) // STEP_SAMPLES
    return Hearing(max(now - WINDOW_SAMPLES, 0), now, first, last)


def last_hearing(samples: int) -> Hearing:
    """Return the window that is heard when the stream ends: its end is that of the last step."""
    known = hearing_at(samples // HOP_SAMPLES * HOP_SAMPLES).last
    last = steps_of(samples)
    return Hearing(max(last * STEP_SAMPLES - WINDOW_SAMPLES, 0), samples, known, last)


def _counted(window: Probabilities, hearing: Hearing) -> Probabilities:
    """Return the steps of a window that count."""
    offset = hearing.start // STEP_SAMPLES
    counted = window[hearing.first - offset : hearing.last - offset].copy()
    counted[: max(WARM_UP_STEPS - hearing.first, 0)] = np.nan
    return counted


def _padded(piece: Signal) -> Signal:
    """Return a piece with zeros after it, as long as a window."""
    return np.concatenate([piece, np.zeros((WINDOW_SAMPLES - len(piece), piece.shape[1]), dtype=np.int16)])


def _joined(pieces: list[Probabilities]) -> Probabilities:
    return np.concatenate([np.empty(0, np.float32), *pieces])
