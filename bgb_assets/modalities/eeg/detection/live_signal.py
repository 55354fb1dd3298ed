"""A signal that is still coming, as the network wants it: one montage, 256 Hz, filtered, scaled, in integers.

The same steps as stage `features`, none of which looks ahead: the filters are causal, and where training scaled each
recording by its own statistics, a stream is scaled by those of its past, or by given ones.

Belongs here: the chain of steps and its state. Does not belong here: the steps (`signal`), windows (`live_windows`,
next in the flow).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.detection.inference import Signal
from bgb_assets.modalities.eeg.recordings.channels import Choice, choose
from bgb_assets.modalities.eeg.recordings.recording import Signal as RecordedSignal
from bgb_assets.modalities.eeg.signal.conditioning import Conditioner
from bgb_assets.modalities.eeg.signal.filters import notches_hz, sections, usable_band
from bgb_assets.modalities.eeg.signal.montage import ABSENT, Kind, Montage, build_montage
from bgb_assets.modalities.eeg.signal.normalisation import (
    FixedNormaliser,
    NoNormaliser,
    Normaliser,
    RunningNormaliser,
    quantise,
)
from bgb_assets.modalities.eeg.signal.params import FeatureParams
from bgb_assets.modalities.eeg.signal.resampling import rate_change
from bgb_assets.modalities.eeg.signal.stored import StoredRecording
from bgb_assets.runtime.errors import BadInput, ConfigError

Microvolts = NDArray[np.float64]
"""(channels, samples)."""

_BLOCKS_PER_S = 4
"""Chunks are gathered to about this many blocks a second, so that single samples cost little."""


@dataclass(frozen=True, eq=False)
class Statistics:
    """What a stream is scaled by where its own past is not used: (channels,) microvolts each."""

    mean: NDArray[np.float64]
    std: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Source:
    """The channels that come in.

    Attributes:
        rate_hz: Of all of them.
        montage: What is made of them.
        rows: Of a chunk, which row each channel of the montage's input is.
        signs: +1, or -1 where the row is the pair the other way round.
    """

    rate_hz: float
    montage: Montage
    rows: tuple[int, ...]
    signs: NDArray[np.float64]

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(channels of the montage,) True where something is known."""
        return np.array([state != ABSENT for state in self.montage.states])


def source_of_labels(labels: Sequence[str], rate_hz: float, params: FeatureParams) -> Source:
    """Return what is made of live channels with these labels, in microvolts.

    Raises:
        BadInput: Fewer than 8 of the 19 electrodes, or a rate below 100 Hz.
    """
    choice: Choice = choose([RecordedSignal(row, label, rate_hz, "uV", 1.0, 0.0) for row, label in enumerate(labels)])
    names = [channel.name for channel in choice.channels]
    montage = _montage(names, choice.kind, params, choice.reference)
    signs = np.asarray([float(channel.sign) for channel in choice.channels])
    return Source(rate_hz, montage, tuple(channel.signal.index for channel in choice.channels), signs)


def source_of_stored(stored: StoredRecording, params: FeatureParams) -> Source:
    """Return what is made of a stored recording's channels, all of which count."""
    montage = _montage(list(stored.names), stored.kind, params, stored.reference)
    return Source(stored.main.rate_hz, montage, tuple(range(len(stored.names))), np.ones(len(stored.names)))


class LiveSignal:
    """One stretch of signal without gaps; any cut into chunks gives the same bits.

    Args:
        source: The channels that come in.
        params: Of the features that the network was trained on.
        statistics: To scale by, instead of those of the past.

    Raises:
        BadInput: The rate cannot hold the band.
        ConfigError: The features choose the mains frequency recording by recording.
    """

    def __init__(self, source: Source, params: FeatureParams, statistics: Statistics | None = None) -> None:
        self._source = source
        self._step = params.step
        self._conditioner = Conditioner(rate_change(source.rate_hz), source.montage, _coefficients(source, params))
        self._normaliser = _normaliser(len(source.montage.names), params, statistics)
        self._gathered: list[Microvolts] = []
        self._waiting = 0

    def push(self, chunk: Microvolts) -> Signal:
        """Take the next (rows, samples), all of them numbers; return what they complete: (n, channels)."""
        self._gathered.append(chunk[list(self._source.rows)] * self._source.signs[:, None])
        self._waiting += chunk.shape[1]
        if self._waiting < self._source.rate_hz / _BLOCKS_PER_S:
            return self._integers(np.zeros((len(self._source.montage.names), 0)))
        return self._integers(self._normaliser.push(self._condition()))

    def flush(self) -> Signal:
        """Return what the end completes."""
        last = self._normaliser.push(np.concatenate([self._condition(), self._conditioner.flush()], axis=1))
        return self._integers(np.concatenate([last, self._normaliser.flush()], axis=1))

    def _condition(self) -> Microvolts:
        if not self._gathered:
            return np.zeros((len(self._source.montage.names), 0))
        block, self._gathered, self._waiting = np.concatenate(self._gathered, axis=1), [], 0
        return self._conditioner.push(block)

    def _integers(self, scaled: Microvolts) -> Signal:
        return np.ascontiguousarray(quantise(scaled, self._step)[0].T)


def _montage(names: Sequence[str], kind: str, params: FeatureParams, reference: str | None) -> Montage:
    known: Kind = "bipolar" if kind == "bipolar" else "referential"
    return build_montage(names, known, params.montage, params.max_interpolated, reference)


def _coefficients(source: Source, params: FeatureParams) -> NDArray[np.float64]:
    if params.notch_hz == "auto":
        raise ConfigError(
            "a stream cannot look for the mains frequency first; train with notch_hz 50, 60 or 'none', or give one"
        )
    line_hz = None if isinstance(params.notch_hz, str) else params.notch_hz
    band_hz = usable_band(params.bandpass_hz, source.rate_hz)
    if band_hz[0] >= band_hz[1]:
        raise BadInput(
            f"of {source.rate_hz:g} Hz only what lies below {band_hz[1]:g} Hz can be used, and the band begins at "
            f"{band_hz[0]:g} Hz",
            "record at a higher rate",
        )
    return sections(band_hz, notches_hz(line_hz, source.rate_hz, harmonics=params.notch_harmonics))


def _normaliser(channels: int, params: FeatureParams, statistics: Statistics | None) -> Normaliser:
    if statistics is not None:
        return FixedNormaliser(statistics.mean, statistics.std)
    return NoNormaliser(channels) if params.norm == "none" else RunningNormaliser(channels)
