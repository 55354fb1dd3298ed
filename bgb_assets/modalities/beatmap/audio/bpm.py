"""The tempo of a song: a Fourier comb over its onset strength, how sure it is, and where its first beat lies.

    S(b) = sum over h of w_h |E(h b / 60)|,  h = 1, 2, 4, 3,  w = 1, 1, 0.7, 0.3

E is the Fourier transform of the onset strength. Unlike trackers that pick a lag between frames, it has no steps:
near 150 beats per minute such a tracker knows 143.6 and 152.0 only.

Belongs here: estimating one tempo. Does not belong here: tempo maps (`tempo`), the onset strength (`spectrogram`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.beatmap.audio.spectrogram import StftShape, streamed_onset_strength

Float64 = NDArray[np.float64]

SURE, DOUBTFUL = 0.4, 0.2
"""Confidence from which one may go on; below the second one the song has no tempo that could be used."""
MIN_BPM, MAX_BPM = 60.0, 240.0
VARIABLE_SHARE = 0.01
"""Windows whose tempi differ by more make a song of variable tempo."""

_HARMONICS = ((1, 1.0), (2, 1.0), (4, 0.7), (3, 0.3))
_STEP_BPM, _FINE_STEP_BPM = 0.02, 0.002
_RATIOS = (1 / 3, 1 / 2, 2 / 3, 3 / 4, 1.0, 4 / 3, 3 / 2, 2.0, 3.0)
_SAME_SHARE = 0.02
_PRIOR_BPM, _PRIOR_OCTAVES = 130.0, 0.9
_WINDOW_S, _WINDOW_HOP_S = 30.0, 15.0
_N_FFT, _HOP, _BANDS, _RANGE_DB = 1_024, 128, 128, 80.0
_PHASES = 4_096
_TOP = 5
_DELAY_S = 0.0076


@dataclass(frozen=True)
class Envelope:
    """The onset strength of a song: frame k is at k * hop_s seconds."""

    strength: Float64
    hop_s: float


@dataclass(frozen=True)
class TempoEstimate:
    """What was found.

    Attributes:
        bpm: Beats per minute.
        first_beat_s: Seconds of the first beat at or after 0.
        confidence: 0 to 1: how far the best candidate is ahead of the next that is no simple multiple of it.
        candidates: The best five, (bpm, strength relative to the best).
        windows: (start in seconds, tempo) of each 30 s window that is not silent, for a song longer than one; the tempi
            are equal within 1 % in a steady song.
    """

    bpm: float
    first_beat_s: float
    confidence: float
    candidates: tuple[tuple[float, float], ...]
    windows: tuple[tuple[float, float], ...]

    @property
    def window_bpms(self) -> tuple[float, ...]:
        """Tempo of each window."""
        return tuple(bpm for _, bpm in self.windows)

    @property
    def variable(self) -> bool:
        """Whether the windows disagree by more than 1 %."""
        if len(self.window_bpms) < 2:
            return False
        return max(self.window_bpms) > min(self.window_bpms) * (1 + VARIABLE_SHARE)


def onset_envelope(pcm: NDArray[np.int16], rate_hz: int) -> Envelope:
    """Return the onset strength in steps of 128 samples."""
    shape = StftShape(rate_hz, _N_FFT, _HOP, (_BANDS,))
    strength = streamed_onset_strength(pcm, 1.0 / np.iinfo(np.int16).max, shape, _RANGE_DB)
    return Envelope(strength.astype(np.float64), _HOP / rate_hz)


def estimate_tempo(envelope: Envelope) -> TempoEstimate:
    """Return the tempo of a song, its first beat and how sure both are; confidence 0 for silence."""
    if not envelope.strength.any():
        return TempoEstimate(_PRIOR_BPM, 0.0, 0.0, (), ())
    comb = _Comb(envelope)
    grid = np.arange(MIN_BPM, MAX_BPM + _STEP_BPM / 2, _STEP_BPM)
    strength = comb.coarse(grid)
    best = float(grid[strength.argmax()])
    bpm = comb.refined(_settled(best, comb, envelope))
    rivals = _is_unrelated(grid, bpm) & _is_unrelated(grid, best)
    second = float(strength[rivals].max(initial=0.0))
    return TempoEstimate(
        bpm=bpm,
        first_beat_s=first_beat(envelope, bpm),
        confidence=1.0 - second / float(strength.max()),
        candidates=_candidates(grid, strength),
        windows=tuple(_windows(envelope, bpm)),
    )


def first_beat(envelope: Envelope, bpm: float) -> float:
    """Return the seconds of the first beat at or after 0, for a known tempo."""
    period_s = 60.0 / bpm
    times_s = np.arange(_PHASES) * period_s / _PHASES
    fit = np.zeros(_PHASES)
    for harmonic, weight in _HARMONICS:
        value = _transform(envelope, np.array([harmonic * bpm / 60.0]))[0]
        fit += weight * (value * np.exp(2j * np.pi * harmonic * bpm / 60.0 * times_s)).real
    return float((times_s[fit.argmax()] - _DELAY_S) % period_s)


class _Comb:
    """S(b) of one envelope: from a padded FFT on a coarse grid, exactly where it matters."""

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope
        centred = envelope.strength - envelope.strength.mean()
        # Fine enough that a step of the grid is no more than a bin even at the fourth harmonic.
        self._size = max(1 << 20, 1 << (len(centred) - 1).bit_length())
        self._spectrum = np.abs(np.fft.rfft(centred, self._size))

    def coarse(self, bpms: Float64) -> Float64:
        bins = np.arange(len(self._spectrum))
        total = np.zeros(len(bpms))
        for harmonic, weight in _HARMONICS:
            place = harmonic * bpms / 60.0 * self._envelope.hop_s * self._size
            total += weight * np.interp(place, bins, self._spectrum)
        return total

    def exact(self, bpms: Float64) -> Float64:
        total = np.zeros(len(bpms))
        for harmonic, weight in _HARMONICS:
            total += weight * np.abs(_transform(self._envelope, harmonic * bpms / 60.0))
        return total

    def refined(self, bpm: float) -> float:
        """Return the peak nearest to a candidate that is right within 1.5 coarse steps of the true peak."""
        wide = np.arange(bpm - 0.3, bpm + 0.3, _STEP_BPM)
        bpm = float(wide[self.exact(wide).argmax()])
        near = np.arange(bpm - 1.5 * _STEP_BPM, bpm + 1.5 * _STEP_BPM, _FINE_STEP_BPM)
        return float(near[self.exact(near).argmax()])


def _transform(envelope: Envelope, frequencies_hz: Float64) -> NDArray[np.complex128]:
    times_s = np.arange(len(envelope.strength)) * envelope.hop_s
    centred = envelope.strength - envelope.strength.mean()
    return np.array([centred @ np.exp(-2j * np.pi * frequency * times_s) for frequency in frequencies_hz])


def _settled(best: float, comb: _Comb, envelope: Envelope) -> float:
    """Choose among the simple multiples of the strongest candidate: strength, self-likeness at a beat, custom."""
    options = np.array([best * ratio for ratio in _RATIOS if MIN_BPM <= best * ratio <= MAX_BPM])
    prior = np.exp(-0.5 * (np.log2(options / _PRIOR_BPM) / _PRIOR_OCTAVES) ** 2)
    return float(options[(comb.coarse(options) * _likeness(envelope, options) * prior).argmax()])


def _likeness(envelope: Envelope, bpms: Float64) -> Float64:
    """Return the autocorrelation at one beat, relative to no lag, at least a little above 0."""
    centred = envelope.strength - envelope.strength.mean()
    size = 1 << (2 * len(centred) - 1).bit_length()
    correlation = np.fft.irfft(np.abs(np.fft.rfft(centred, size)) ** 2, size)[: len(centred)]
    lags = 60.0 / bpms / envelope.hop_s
    return np.asarray(np.maximum(0.01, np.interp(lags, np.arange(len(correlation)), correlation / correlation[0])))


def _is_unrelated(grid: Float64, bpm: float) -> NDArray[np.bool_]:
    related = np.zeros(len(grid), np.bool_)
    for ratio in _RATIOS:
        related |= np.abs(grid / (bpm * ratio) - 1.0) <= _SAME_SHARE
    return ~related


def _candidates(grid: Float64, strength: Float64) -> tuple[tuple[float, float], ...]:
    left, best = strength.copy(), float(strength.max())
    found = []
    for _ in range(_TOP):
        place = int(left.argmax())
        found.append((round(float(grid[place]), 2), round(float(left[place] / best), 4)))
        left[np.abs(grid / grid[place] - 1.0) <= _SAME_SHARE] = 0.0
    return tuple(found)


def _windows(envelope: Envelope, bpm: float) -> list[tuple[float, float]]:
    """Return start and tempo of each window; the tempo is that multiple of it which is nearest to the song's."""
    size, hop = (round(seconds / envelope.hop_s) for seconds in (_WINDOW_S, _WINDOW_HOP_S))
    if len(envelope.strength) < size + hop:
        return []
    grid = np.arange(MIN_BPM, MAX_BPM, _STEP_BPM)
    found = []
    for start in range(0, len(envelope.strength) - size + 1, hop):
        piece = Envelope(envelope.strength[start : start + size], envelope.hop_s)
        if not piece.strength.any():
            continue
        own = float(grid[_Comb(piece).coarse(grid).argmax()])
        folded = min((own / ratio for ratio in _RATIOS), key=lambda one: abs(np.log(one / bpm)))
        found.append((start * envelope.hop_s, folded))
    return found
