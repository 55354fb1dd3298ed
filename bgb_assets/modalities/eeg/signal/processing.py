"""A stored recording becomes microvolts of one montage at 256 Hz, filtered: the whole of it, in blocks.

Belongs here: what is done to one recording, decided from its header and the params, and doing it. Does not belong
here: single steps (the other modules of this package), scaling to 16 bits and files (stage `features`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.electrodes import RATE_HZ
from bgb_assets.modalities.eeg.signal.conditioning import Conditioner
from bgb_assets.modalities.eeg.signal.filters import filter_both_ways, notches_hz, sections, usable_band
from bgb_assets.modalities.eeg.signal.mains import louder_mains_hz
from bgb_assets.modalities.eeg.signal.montage import Montage, build_montage
from bgb_assets.modalities.eeg.signal.params import FeatureParams
from bgb_assets.modalities.eeg.signal.quality import ChannelQuality
from bgb_assets.modalities.eeg.signal.resampling import (
    UNCHANGED,
    RateChange,
    rate_change,
    resample_by_fft,
    resampled_length,
)
from bgb_assets.modalities.eeg.signal.stored import StoredRecording, Stretch
from bgb_assets.runtime.errors import BadInput

_BLOCK = 65_536
_MAINS_PIECE_S = 4
_MAINS_PIECES = 60

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Plan:
    """What is done to one recording.

    Attributes:
        change: From its rate to 256 Hz.
        band_hz: Edges of the band-pass.
        notched_hz: Frequencies that are notched.
        segments: Its stretches without a gap, in samples of 256 Hz.
    """

    change: RateChange
    montage: Montage
    band_hz: tuple[float, float]
    notched_hz: tuple[float, ...]
    segments: tuple[Stretch, ...]

    @property
    def samples(self) -> int:
        """Samples of all segments."""
        return sum(segment.samples for segment in self.segments)


def plan_processing(stored: StoredRecording, params: FeatureParams) -> Plan:
    """Decide what is done to a recording; only `notch_hz="auto"` reads samples.

    Raises:
        BadInput: Too few electrodes, no samples, or a rate that cannot hold the band.
    """
    montage = build_montage(stored.names, stored.kind, params.montage, params.max_interpolated, stored.reference)
    segments = segments_at_256_hz(stored.stretches, stored.rate_hz)
    if not sum(segment.samples for segment in segments):
        raise BadInput(
            f"{len(stored.integers)} samples of {stored.rate_hz:g} Hz are none of {RATE_HZ} Hz",
            "exclude the recording or deliver it whole",
        )
    band_hz = usable_band(params.bandpass_hz, stored.rate_hz)
    if band_hz[0] >= band_hz[1]:
        raise BadInput(
            f"of {stored.rate_hz:g} Hz only what lies below {band_hz[1]:g} Hz can be used, and the band begins at "
            f"{band_hz[0]:g} Hz",
            "deliver the recording at a higher rate or lower bandpass_hz",
        )
    notched_hz = notches_hz(_line_hz(stored, params), stored.rate_hz, harmonics=params.notch_harmonics)
    return Plan(rate_change(stored.rate_hz), montage, band_hz, notched_hz, segments)


def segments_at_256_hz(stretches: Iterable[Stretch], rate_hz: float) -> tuple[Stretch, ...]:
    """Return stretches of that rate in samples of 256 Hz, one after the other."""
    segments: list[Stretch] = []
    start = 0
    for stretch in stretches:
        segments.append(Stretch(start, resampled_length(stretch.samples, rate_hz), stretch.onset_s))
        start += segments[-1].samples
    return tuple(segments)


def process(stored: StoredRecording, plan: Plan, params: FeatureParams, into: NDArray[np.float32]) -> ChannelQuality:
    """Fill `into`, (channels of the montage, samples), with microvolts; return what was seen of flat lines.

    Each segment begins as if its first sample had lasted for ever: no filter rings across a gap.
    """
    coefficients = sections(plan.band_hz, plan.notched_hz)
    quality = ChannelQuality(*stored.limits(), stored.rate_hz)
    for stretch, segment in zip(stored.stretches, plan.segments, strict=True):
        part = into[:, segment.start : segment.start + segment.samples]
        blocks = _microvolts(stored, stretch, quality)
        change, slope = plan.change, _slope(stored, stretch)
        if params.resample == "fft":
            blocks, change, slope = _by_fft(blocks, segment.samples), UNCHANGED, None
        causal = coefficients if params.phase == "causal" else None
        _fill(part, blocks, Conditioner(change, plan.montage, causal, slope))
        if causal is None:
            _both_ways(part, coefficients)
        quality.end_segment()
    return quality


def _line_hz(stored: StoredRecording, params: FeatureParams) -> float | None:
    if params.notch_hz == "auto":
        return louder_mains_hz(_pieces(stored), stored.rate_hz)
    return None if isinstance(params.notch_hz, str) else params.notch_hz


def _pieces(stored: StoredRecording) -> Iterator[Floats]:
    """Yield pieces of 4 s in microvolts, evenly spread over the samples; a shorter recording is one piece."""
    length = min(round(_MAINS_PIECE_S * stored.rate_hz), len(stored.integers))
    count = min(_MAINS_PIECES, max(len(stored.integers) // max(length, 1), 1))
    for number in range(count):
        start = (len(stored.integers) - length) * number // max(count - 1, 1)
        yield stored.integers[start : start + length].T * stored.gain_uv[:, None]


def _microvolts(stored: StoredRecording, stretch: Stretch, quality: ChannelQuality) -> Iterator[Floats]:
    """Yield a stretch in microvolts above its first sample, which no band-pass can tell from microvolts.

    The difference is taken of integers: a flat channel stays exactly zero, whatever its offset.
    """
    for block in stored.blocks(stretch):
        quality.add(block)
        yield _above_first(stored, stretch, block)


def _above_first(stored: StoredRecording, stretch: Stretch, block: NDArray[np.integer]) -> Floats:
    microvolts = block.astype(np.float64)
    microvolts -= stored.integers[stretch.start].astype(np.float64)[:, None]
    microvolts *= stored.gain_uv[:, None]
    return microvolts


def _slope(stored: StoredRecording, stretch: Stretch) -> Floats | None:
    """Return the rise per sample from a stretch's first to its last sample."""
    if stretch.samples < 2:
        return None
    last = stored.integers[stretch.start + stretch.samples - 1]
    rise: Floats = _above_first(stored, stretch, last[:, None])[:, 0] / (stretch.samples - 1)
    return rise


def _by_fft(blocks: Iterable[Floats], samples: int) -> Iterator[Floats]:
    """Yield blocks of a whole stretch, resampled channel by channel."""
    whole = np.concatenate(list(blocks), axis=1)
    resampled = np.stack([resample_by_fft(channel, samples) for channel in whole])
    return (resampled[:, start : start + _BLOCK] for start in range(0, samples, _BLOCK))


def _fill(part: NDArray[np.float32], blocks: Iterable[Floats], conditioner: Conditioner) -> None:
    """Write what the conditioner makes of the blocks; with a fraction that misses the rate, cut to length."""
    at, total = 0, part.shape[1]
    for block in blocks:
        given = conditioner.push(block)[:, : total - at]
        part[:, at : at + given.shape[1]] = given
        at += given.shape[1]
    part[:, at:] = conditioner.flush(total)[:, : total - at]


def _both_ways(part: NDArray[np.float32], coefficients: Floats) -> None:
    for channel in part:
        samples = channel.astype(np.float64)
        filter_both_ways(samples, coefficients)
        channel[:] = samples
