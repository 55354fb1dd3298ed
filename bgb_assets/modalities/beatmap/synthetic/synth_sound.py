"""Plays a score: struck, plucked and held sounds by addition of sines and noise.

Belongs here: waveforms and the mix. Does not belong here: what is played (`synth_score.py`), files (`synth.py`).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.beatmap.synthetic.synth_score import Score, Tone

Samples = NDArray[np.float32]

_PEAK = 0.8
_TAIL_S = 0.6
_DRUM_LEVELS = {"kick": 0.9, "snare": 0.55, "hat": 0.16, "crash": 0.3}
_VOICE_LEVELS = {"bass": 0.3, "chord": 0.07, "melody": 0.26}
# Amplitudes of the harmonics, attack in seconds, decay per second.
_TIMBRES: dict[str, tuple[tuple[float, ...], float, float]] = {
    "bass": ((1.0, 0.5, 0.25, 0.12), 0.008, 2.0),
    "chord": ((1.0, 0.3, 0.15), 0.08, 0.3),
    "melody": ((1.0, 0.6, 0.35, 0.2, 0.1), 0.004, 5.0),
}


def play(score: Score, rate_hz: int, noise: np.random.Generator) -> Samples:
    """Return the song as mono samples with a peak of 0.8.

    Args:
        score: The song.
        rate_hz: Sample rate.
        noise: What the snare, hat and crash are made of.
    """
    tempo = score.tempo
    length_s = float(tempo.time(score.beats)) + _TAIL_S
    mix = np.zeros(round(length_s * rate_hz), np.float64)
    drums = {drum: make(rate_hz, noise) * _DRUM_LEVELS[drum] for drum, make in _DRUMS.items()}
    for hit in score.hits:
        _add(mix, drums[hit.drum], float(tempo.time(hit.beat)), rate_hz)
    for tone in score.tones:
        start_s, end_s = tempo.time([tone.beat, tone.beat + tone.beats])
        _add(mix, _tone(tone, float(end_s - start_s), rate_hz), float(start_s), rate_hz)
    mix *= _PEAK / np.abs(mix).max()
    return mix.astype(np.float32)


def _add(mix: NDArray[np.float64], sound: NDArray[np.float64], at_s: float, rate_hz: int) -> None:
    start = round(at_s * rate_hz)
    stop = min(len(mix), start + len(sound))
    mix[start:stop] += sound[: stop - start]


def _tone(tone: Tone, length_s: float, rate_hz: int) -> NDArray[np.float64]:
    harmonics, attack_s, decay_per_s = _TIMBRES[tone.voice]
    t = np.arange(round(length_s * rate_hz)) / rate_hz
    frequency_hz = 440.0 * 2.0 ** ((tone.pitch - 69) / 12.0)
    wave = np.zeros_like(t)
    for number, amplitude in enumerate(harmonics, start=1):
        if number * frequency_hz < 0.45 * rate_hz:
            wave += amplitude * np.sin(2.0 * np.pi * number * frequency_hz * t)
    # The release of 10 ms keeps the end from clicking: a click would be an onset that nobody played.
    envelope = np.minimum(t / attack_s, 1.0) * np.exp(-decay_per_s * t) * np.clip((length_s - t) / 0.01, 0.0, 1.0)
    wave *= _VOICE_LEVELS[tone.voice] * envelope
    return wave


def _seconds(length_s: float, rate_hz: int) -> NDArray[np.float64]:
    return np.arange(round(length_s * rate_hz)) / rate_hz


def _hiss(noise: np.random.Generator, length: int) -> NDArray[np.float64]:
    """White noise through a first difference, which leaves the treble."""
    white = noise.random(length + 1) * 2.0 - 1.0
    return 0.5 * (white[1:] - white[:-1])


def _kick(rate_hz: int, noise: np.random.Generator) -> NDArray[np.float64]:
    t = _seconds(0.22, rate_hz)
    # The pitch falls from 150 to 48 Hz; the phase is its integral.
    phase = 2.0 * np.pi * (48.0 * t + 102.0 * 0.03 * (1.0 - np.exp(-t / 0.03)))
    return np.sin(phase) * np.exp(-t / 0.07)


def _snare(rate_hz: int, noise: np.random.Generator) -> NDArray[np.float64]:
    t = _seconds(0.18, rate_hz)
    body = 0.5 * np.sin(2.0 * np.pi * 190.0 * t) * np.exp(-t / 0.05)
    return body + _hiss(noise, len(t)) * np.exp(-t / 0.06)


def _hat(rate_hz: int, noise: np.random.Generator) -> NDArray[np.float64]:
    t = _seconds(0.06, rate_hz)
    return _hiss(noise, len(t)) * np.exp(-t / 0.015)


def _crash(rate_hz: int, noise: np.random.Generator) -> NDArray[np.float64]:
    t = _seconds(1.2, rate_hz)
    return _hiss(noise, len(t)) * np.exp(-t / 0.35)


_DRUMS: dict[str, Callable[[int, np.random.Generator], NDArray[np.float64]]] = {
    "kick": _kick,
    "snare": _snare,
    "hat": _hat,
    "crash": _crash,
}
