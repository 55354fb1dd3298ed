"""The brain, eyes, muscles and mains of a made-up recording in which nothing happens.

Belongs here: what goes on all the time or comes and goes within seconds. Does not belong here: episodes of a slot.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.electrodes import CANONICAL
from bgb_assets.modalities.eeg.synthetic.waves import Signal, band, distances, head_noise, positions, power_law, slow

_EXPONENT = 1.2
_LOWEST_HZ = 0.4
_BLINK_EVERY_S = 8.0
_BLINK_SIGMA_S = 0.09
_BLINK_UV = (60.0, 140.0)
_MUSCLE_EVERY_S = 30.0
_MUSCLE_UV = (10.0, 40.0)
_MUSCLE_BAND_HZ = (20.0, 70.0)
_MUSCLE_S = (0.5, 3.0)
_RHYTHM_EVERY_S = 60.0
_RHYTHM_UV = (30.0, 90.0)
_RHYTHM_HZ = (4.0, 7.0)
_RHYTHM_S = (1.5, 3.5)
_BURST_SPREAD = 0.5


@dataclass(frozen=True)
class Patient:
    """What stays the same in all recordings of a patient.

    Attributes:
        level_uv: Standard deviation of the 1/f background.
        alpha_hz: Frequency of the alpha rhythm.
        alpha_uv: Its mean peak at the back of the head.
    """

    level_uv: float
    alpha_hz: float
    alpha_uv: float


def draw_patient(rng: np.random.Generator) -> Patient:
    """Return a patient."""
    return Patient(rng.uniform(12.0, 22.0), rng.uniform(8.5, 11.5), rng.uniform(10.0, 25.0))


def background(rng: np.random.Generator, patient: Patient, samples: int, rate_hz: int) -> Signal:
    """Return the signal without episodes and mains, in microvolts."""
    signal = head_noise(rng, samples, rate_hz, power_law(_EXPONENT, _LOWEST_HZ))
    signal *= np.float32(patient.level_uv)
    signal += _at_the_back()[:, None] * _alpha(rng, patient, samples, rate_hz)
    _add_blinks(rng, signal, rate_hz)
    _add_muscle(rng, signal, rate_hz)
    _add_rhythms(rng, signal, rate_hz)
    return signal


def mains(rng: np.random.Generator, samples: int, rate_hz: int, mains_hz: float) -> Signal:
    """Return a hum of 1 to 6 microvolts with a phase of its own on every electrode."""
    turn = 2.0 * np.pi * mains_hz / rate_hz * np.arange(samples)
    level = rng.uniform(1.0, 6.0) * rng.uniform(0.7, 1.0, len(CANONICAL))
    phase = rng.uniform(0.0, 2.0 * np.pi, len(CANONICAL))
    waves = np.stack([np.cos(turn), np.sin(turn)]).astype(np.float32)
    return np.stack([level * np.cos(phase), level * np.sin(phase)], axis=1).astype(np.float32) @ waves


def falls_from(focus: int, spread: float) -> NDArray[np.float32]:
    """Return the weight of each electrode for a source below one: exp(-d / spread)."""
    weights: NDArray[np.float32] = np.exp(-distances()[focus] / spread).astype(np.float32)
    return weights


def _alpha(rng: np.random.Generator, patient: Patient, samples: int, rate_hz: int) -> NDArray[np.float32]:
    """Return the alpha rhythm: it waxes and wanes over seconds and its phase wanders."""
    t = np.arange(samples) / rate_hz
    waxing = np.abs(1.0 + 0.7 * slow(rng, samples, rate_hz, 1.5))
    phase = 2.0 * np.pi * patient.alpha_hz * t + 1.5 * slow(rng, samples, rate_hz, 1.0)
    rhythm: NDArray[np.float32] = (patient.alpha_uv * waxing * np.sin(phase)).astype(np.float32)
    return rhythm


def _at_the_back() -> NDArray[np.float32]:
    return np.exp(-(positions()[:, 1] + 0.95) / 0.7).astype(np.float32)


def _starts(rng: np.random.Generator, samples: int, rate_hz: int, every_s: float) -> list[float]:
    """Return times, one each `every_s` seconds on average and a little apart from any rhythm."""
    count = int(samples / rate_hz / every_s)
    return [float(at) for at in (np.arange(count) + rng.uniform(0.05, 0.95, count)) * every_s]


def _add_blinks(rng: np.random.Generator, signal: Signal, rate_hz: int) -> None:
    frontal = np.exp(-(0.95 - positions()[:, 1]) / 0.3).astype(np.float32)
    for at_s in _starts(rng, signal.shape[1], rate_hz, _BLINK_EVERY_S):
        low, high = _span(at_s - 5 * _BLINK_SIGMA_S, at_s + 5 * _BLINK_SIGMA_S, rate_hz, signal.shape[1])
        t = np.arange(low, high) / rate_hz - at_s
        blink = rng.uniform(*_BLINK_UV) * np.exp(-0.5 * (t / _BLINK_SIGMA_S) ** 2)
        signal[:, low:high] += frontal[:, None] * blink.astype(np.float32)


def _add_muscle(rng: np.random.Generator, signal: Signal, rate_hz: int) -> None:
    for at_s in _starts(rng, signal.shape[1], rate_hz, _MUSCLE_EVERY_S):
        low, high = _span(at_s, at_s + rng.uniform(*_MUSCLE_S), rate_hz, signal.shape[1])
        noise = head_noise(rng, high - low, rate_hz, band(*_MUSCLE_BAND_HZ))
        weight = rng.uniform(*_MUSCLE_UV) * falls_from(int(rng.integers(len(CANONICAL))), _BURST_SPREAD)
        signal[:, low:high] += weight.astype(np.float32)[:, None] * noise * _hump(high - low)


def _add_rhythms(rng: np.random.Generator, signal: Signal, rate_hz: int) -> None:
    for at_s in _starts(rng, signal.shape[1], rate_hz, _RHYTHM_EVERY_S):
        low, high = _span(at_s, at_s + rng.uniform(*_RHYTHM_S), rate_hz, signal.shape[1])
        turn = 2.0 * np.pi * rng.uniform(*_RHYTHM_HZ) * np.arange(high - low) / rate_hz
        weight = rng.uniform(*_RHYTHM_UV) * falls_from(int(rng.integers(len(CANONICAL))), _BURST_SPREAD)
        signal[:, low:high] += weight.astype(np.float32)[:, None] * (np.sin(turn) * _hump(high - low))


def _hump(samples: int) -> NDArray[np.float32]:
    return np.hanning(samples + 2)[1:-1].astype(np.float32)


def _span(start_s: float, stop_s: float, rate_hz: int, samples: int) -> tuple[int, int]:
    low = min(max(0, round(start_s * rate_hz)), samples - 1)
    return low, min(max(low + 1, round(stop_s * rate_hz)), samples)
