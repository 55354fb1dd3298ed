"""A stretch of one recording as it is drawn: microvolts in the double banana, on the clock, with its gaps.

Belongs here: reading the entry of stage features, seconds of signal to seconds on the clock. Does not belong here:
drawing (`traces`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.electrodes import BIPOLAR18, RATE_HZ
from bgb_assets.modalities.eeg.features import FEATURES_FILE, SIGNAL_FILE

_ABSENT = 3


@dataclass(frozen=True, eq=False)
class Piece:
    """Signal without a gap: when its first sample was taken, and (samples, pairs) in microvolts, NaN where absent."""

    onset_s: float
    signal: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Page:
    """A stretch of a recording.

    Attributes:
        start_s: On the clock, since the recording's start.
        stop_s: Its end.
        names: Of the pairs.
        pieces: Where there is signal.
    """

    start_s: float
    stop_s: float
    names: tuple[str, ...]
    pieces: tuple[Piece, ...]


def read_features(features: Path) -> Mapping[str, Any]:
    """Return what is said about the signal of an entry of stage features."""
    described: Mapping[str, Any] = json.loads((features / FEATURES_FILE).read_bytes())
    return described


def read_page(features: Path, start_s: float, length_s: float) -> Page:
    """Return a stretch of a recording, cut at its end."""
    described = read_features(features)
    segments = described["segments"]
    end_s = max((onset_s + samples / RATE_HZ for _, samples, onset_s in segments), default=0.0)
    start_s = max(0.0, min(start_s, end_s - length_s))
    stop_s = min(end_s, start_s + length_s)
    pairs = _pairs(described["channels"], described["channel_state"])
    stored = np.memmap(features / SIGNAL_FILE, "<i2", "r").reshape(-1, len(described["channels"]))
    step_uv = described["scale"] * np.array(described["std"])
    pieces = []
    for first, samples, onset_s in segments:
        low = max(0, round((start_s - onset_s) * RATE_HZ))
        high = min(samples, round((stop_s - onset_s) * RATE_HZ))
        if low < high:
            signal = (stored[first + low : first + high] * step_uv).astype(np.float32)
            pieces.append(Piece(onset_s + low / RATE_HZ, _in_pairs(signal, pairs)))
    names = tuple(f"{first}-{second}" for first, second in BIPOLAR18)
    return Page(start_s, stop_s, names, tuple(pieces))


def on_the_clock(spans_s: NDArray[np.float64], segments: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """Return spans of the signal, all segments one after the other, as spans since the recording's start.

    Args:
        spans_s: (k, 2) seconds of signal; one that reaches into the next segment becomes two.
        segments: (first sample, samples, onset in seconds) of each at 256 Hz.
    """
    held = [np.zeros((0, 2))]
    for first, samples, onset_s in segments:
        inside = np.clip(spans_s - first / RATE_HZ, 0.0, samples / RATE_HZ)
        held.append(inside[inside[:, 1] > inside[:, 0]] + onset_s)
    return np.concatenate(held)


def moments_on_the_clock(at_s: NDArray[np.float64], segments: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """Return seconds of signal (n,) as seconds since the recording's start; see `on_the_clock`."""
    firsts_s, _, onsets_s = np.array(segments, np.float64).T / np.array([[RATE_HZ], [RATE_HZ], [1.0]])
    number = np.maximum(np.searchsorted(firsts_s, at_s, side="right") - 1, 0)
    moved: NDArray[np.float64] = at_s - firsts_s[number] + onsets_s[number]
    return moved


def _pairs(channels: Sequence[str], states: Sequence[int]) -> list[tuple[int, int | None] | None]:
    """Return for each pair of the double banana its columns; None where one of them was not recorded."""
    present = {name: number for number, name in enumerate(channels) if states[number] != _ABSENT}
    found: list[tuple[int, int | None] | None] = []
    for first, second in BIPOLAR18:
        if f"{first}-{second}" in present:
            found.append((present[f"{first}-{second}"], None))
        elif first in present and second in present:
            found.append((present[first], present[second]))
        else:
            found.append(None)
    return found


def _in_pairs(signal: NDArray[np.float32], pairs: Sequence[tuple[int, int | None] | None]) -> NDArray[np.float32]:
    given = np.full((len(signal), len(pairs)), np.nan, np.float32)
    for number, pair in enumerate(pairs):
        if pair is not None:
            first, second = pair
            given[:, number] = signal[:, first] - (0.0 if second is None else signal[:, second])
    return given
