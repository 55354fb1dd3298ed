"""Seizures and what only looks like one, as they reach each electrode.

A seizure's frequency falls while it lasts and it travels from one electrode to the others; a distractor of the same
size and length does neither. Belongs here: their waves. Does not belong here: when they come (`plan`).
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.synthetic.background import falls_from
from bgb_assets.modalities.eeg.synthetic.plan import SEIZURE, Episode
from bgb_assets.modalities.eeg.synthetic.waves import Signal, band, distances, head_noise, power_law, slow

ARRIVES_AFTER = 0.25
"""Share of a seizure's length after which it reaches an electrode at distance 1."""

_STAGES = (0.0, 0.10, 0.35, 1.0)
_STAGES_HZ = ((14.0, 20.0), (8.0, 10.0), (5.0, 7.0), (2.0, 3.0))
_THETA_HZ = (4.5, 6.5)
_DELTA_HZ = (0.8, 3.5)
_CHEWING_HZ = (20.0, 70.0)
_CHEWS_HZ = (1.0, 2.0)
_RISE, _FALL = 0.12, 0.08
_ARRIVAL_RAMP_S = 1.0
_LAG_PER_DISTANCE = 0.6
_SUPPRESSED_TO = 0.45
_RECOVERY_S = 15.0


def add_episode(rng: np.random.Generator, signal: Signal, episode: Episode, rate_hz: int) -> None:
    """Add one episode to a recording in place; a seizure leaves it suppressed for a while."""
    low, high = round(episode.onset_s * rate_hz), round(episode.offset_s * rate_hz)
    waves = _WAVES[episode.kind](rng, episode, high - low, rate_hz)
    level = episode.amplitude_uv * falls_from(episode.focus, episode.spread)
    signal[:, low:high] += level.astype(np.float32)[:, None] * _envelope(high - low) * waves
    if episode.kind == SEIZURE:
        after = signal[:, high : high + round(_RECOVERY_S * rate_hz)]
        recovery = _SUPPRESSED_TO + (1.0 - _SUPPRESSED_TO) * np.arange(after.shape[1]) / (_RECOVERY_S * rate_hz)
        after *= recovery.astype(np.float32)


def arrival_s(episode: Episode) -> NDArray[np.float64]:
    """Return when a seizure reaches each electrode, in seconds of signal, (19,)."""
    at_s: NDArray[np.float64] = episode.onset_s + ARRIVES_AFTER * distances()[episode.focus] * (
        episode.offset_s - episode.onset_s
    )
    return at_s


def _seizure(rng: np.random.Generator, episode: Episode, samples: int, rate_hz: int) -> Signal:
    part = np.arange(samples) / samples
    frequency = np.interp(part, _STAGES, [rng.uniform(*stage) for stage in _STAGES_HZ])
    turn = 2.0 * np.pi * np.cumsum(frequency) / rate_hz
    t = episode.onset_s + np.arange(samples) / rate_hz
    reached = np.clip((t - arrival_s(episode)[:, None]) / _ARRIVAL_RAMP_S, 0.0, 1.0)
    return (_spiky(turn, episode) * reached).astype(np.float32)


def _theta(rng: np.random.Generator, episode: Episode, samples: int, rate_hz: int) -> Signal:
    wander = 0.05 * slow(rng, samples, rate_hz, 5.0)
    turn = 2.0 * np.pi * np.cumsum(rng.uniform(*_THETA_HZ) * (1.0 + 0.2 * wander)) / rate_hz
    return _spiky(turn, episode)


def _spiky(turn: NDArray[np.float64], episode: Episode) -> Signal:
    """Return a wave with harmonics and a spike in each period, later the farther from the focus; peak about 1."""
    lagged = (
        turn.astype(np.float32) - np.float32(_LAG_PER_DISTANCE) * distances()[episode.focus].astype(np.float32)[:, None]
    )
    spike = np.exp(12.0 * (np.cos(lagged - 1.0) - 1.0))
    wave: Signal = 0.55 * np.sin(lagged) + 0.3 * np.sin(2.0 * lagged + 0.5) + 0.15 * np.sin(3.0 * lagged) + 0.45 * spike
    return wave


def _movement(rng: np.random.Generator, episode: Episode, samples: int, rate_hz: int) -> Signal:
    del episode
    return _peak_1(head_noise(rng, samples, rate_hz, power_law(1.2, 0.4)))


def _delta(rng: np.random.Generator, episode: Episode, samples: int, rate_hz: int) -> Signal:
    del episode
    return _peak_1(head_noise(rng, samples, rate_hz, band(*_DELTA_HZ)))


def _chewing(rng: np.random.Generator, episode: Episode, samples: int, rate_hz: int) -> Signal:
    del episode
    chews_hz = rng.uniform(*_CHEWS_HZ) * (1.0 + 0.1 * slow(rng, samples, rate_hz, 2.0))
    gate = np.clip(np.sin(2.0 * np.pi * np.cumsum(chews_hz) / rate_hz), 0.0, 1.0).astype(np.float32)
    return _peak_1(head_noise(rng, samples, rate_hz, band(*_CHEWING_HZ))) * gate


def _peak_1(noise: Signal) -> Signal:
    """Scale noise of variance 1 so that its peaks are as high as those of a wave of amplitude 1."""
    return noise * np.float32(np.sqrt(0.5))


def _envelope(samples: int) -> NDArray[np.float32]:
    part = (np.arange(samples) + 0.5) / samples
    return np.minimum(1.0, np.minimum(part / _RISE, (1.0 - part) / _FALL)).astype(np.float32)


_WAVES: Mapping[str, Callable[[np.random.Generator, Episode, int, int], Signal]] = {
    SEIZURE: _seizure,
    "movement": _movement,
    "chewing": _chewing,
    "delta": _delta,
    "theta": _theta,
}
