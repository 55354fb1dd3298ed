"""A stored recording becomes microvolts of one montage at 256 Hz, filtered: the whole of it, in blocks.

Belongs here: what is done to one recording, decided from its header and the params, and doing it. Does not belong
here: single steps (the other modules of this package), scaling to 16 bits and files (stage `features`).
"""

from collections.abc import Iterable, Iterator, Sequence
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
    PolyphaseResampler,
    rate_change,
    resample_by_fft,
    resampled_length,
)
from bgb_assets.modalities.eeg.signal.stored import Group, StoredRecording, Stretch
from bgb_assets.runtime.errors import BadInput

_BLOCK = 65_536
_MAINS_PIECE_S = 4
_MAINS_PIECES = 60

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Plan:
    """What is done to one recording.

    Attributes:
        band_hz: Edges of the band-pass.
        notched_hz: Frequencies that are notched.
        segments: Its stretches without a gap, in samples of 256 Hz.
    """

    montage: Montage
    band_hz: tuple[float, float]
    notched_hz: tuple[float, ...]
    segments: tuple[Stretch, ...]

    @property
    def samples(self) -> int:
        """Samples of all segments."""
        return sum(segment.samples for segment in self.segments)


@dataclass(frozen=True)
class Seen:
    """What the recorded channels looked like, in their order.

    Attributes:
        flat_s: Seconds of flat line.
        saturated_s: Seconds at a channel's limits.
    """

    flat_s: tuple[float, ...]
    saturated_s: tuple[float, ...]


def plan_processing(stored: StoredRecording, params: FeatureParams) -> Plan:
    """Decide what is done to a recording; only `notch_hz="auto"` reads samples.

    Raises:
        BadInput: Too few electrodes, no samples, or a rate that cannot hold the band.
    """
    montage = build_montage(stored.names, stored.kind, params.montage, params.max_interpolated, stored.reference)
    main, lowest_hz = stored.main, min(group.rate_hz for group in stored.groups)
    segments = segments_at_256_hz(main.stretches, main.rate_hz)
    if not sum(segment.samples for segment in segments):
        raise BadInput(
            f"{len(main.integers)} samples of {main.rate_hz:g} Hz are none of {RATE_HZ} Hz",
            "exclude the recording or deliver it whole",
        )
    band_hz = usable_band(params.bandpass_hz, lowest_hz)
    if band_hz[0] >= band_hz[1]:
        raise BadInput(
            f"of {lowest_hz:g} Hz only what lies below {band_hz[1]:g} Hz can be used, and the band begins at "
            f"{band_hz[0]:g} Hz",
            "deliver the recording at a higher rate or lower bandpass_hz",
        )
    notched_hz = notches_hz(_line_hz(main, params), lowest_hz, harmonics=params.notch_harmonics)
    return Plan(montage, band_hz, notched_hz, segments)


def segments_at_256_hz(stretches: Iterable[Stretch], rate_hz: float) -> tuple[Stretch, ...]:
    """Return stretches of that rate in samples of 256 Hz, one after the other."""
    segments: list[Stretch] = []
    start = 0
    for stretch in stretches:
        segments.append(Stretch(start, resampled_length(stretch.samples, rate_hz), stretch.onset_s))
        start += segments[-1].samples
    return tuple(segments)


def process(stored: StoredRecording, plan: Plan, params: FeatureParams, into: NDArray[np.float32]) -> Seen:
    """Fill `into`, (channels of the montage, samples), with microvolts; return what was seen of flat lines.

    Each segment begins as if its first sample had lasted for ever: no filter rings across a gap.
    """
    coefficients = sections(plan.band_hz, plan.notched_hz)
    causal = coefficients if params.phase == "causal" else None
    qualities = [ChannelQuality(*group.limits(), group.rate_hz) for group in stored.groups]
    for number, segment in enumerate(plan.segments):
        part = into[:, segment.start : segment.start + segment.samples]
        conditioner, at = Conditioner(UNCHANGED, plan.montage, causal), 0
        for block in _recorded(stored, number, segment.samples, params, qualities):
            part[:, at : at + block.shape[1]] = conditioner.push(block)
            at += block.shape[1]
        if causal is None:
            _both_ways(part, coefficients)
        for quality in qualities:
            quality.end_segment()
    return Seen(
        flat_s=_by_channel(stored, [quality.flat_s() for quality in qualities]),
        saturated_s=_by_channel(stored, [quality.saturated_s() for quality in qualities]),
    )


def _by_channel(stored: StoredRecording, values: Sequence[Sequence[float]]) -> tuple[float, ...]:
    places = {
        channel: value
        for group, of_group in zip(stored.groups, values, strict=True)
        for channel, value in zip(group.channels, of_group, strict=True)
    }
    return tuple(places[channel] for channel in range(len(stored.names)))


def _line_hz(group: Group, params: FeatureParams) -> float | None:
    if params.notch_hz == "auto":
        return louder_mains_hz(_pieces(group), group.rate_hz)
    return None if isinstance(params.notch_hz, str) else params.notch_hz


def _pieces(group: Group) -> Iterator[Floats]:
    """Yield pieces of 4 s in microvolts, evenly spread over the samples; a shorter recording is one piece."""
    length = min(round(_MAINS_PIECE_S * group.rate_hz), len(group.integers))
    count = min(_MAINS_PIECES, max(len(group.integers) // max(length, 1), 1))
    for number in range(count):
        start = (len(group.integers) - length) * number // max(count - 1, 1)
        yield group.integers[start : start + length].T * group.gain_uv


def _recorded(
    stored: StoredRecording, number: int, total: int, params: FeatureParams, qualities: Sequence[ChannelQuality]
) -> Iterator[Floats]:
    """Yield a segment at 256 Hz, (recorded channels, samples) in microvolts above its first sample.

    No band-pass can tell these from microvolts. Channels of all rates come together here.
    """
    resample = _by_fft if params.resample == "fft" else _by_polyphase
    streams = [
        resample(group, group.stretches[number], total, quality)
        for group, quality in zip(stored.groups, qualities, strict=True)
    ]
    if len(streams) == 1:
        yield from streams[0]
        return
    order = np.argsort([channel for group in stored.groups for channel in group.channels])
    for blocks in zip(*(_of_one_size(stream) for stream in streams), strict=True):
        yield np.concatenate(blocks)[order]


def _by_polyphase(group: Group, stretch: Stretch, total: int, quality: ChannelQuality) -> Iterator[Floats]:
    """Yield `total` samples; where a fraction misses the rate, the last are cut off or lie on the line."""
    resampler = PolyphaseResampler(rate_change(group.rate_hz), _slope(group, stretch))
    given = 0
    for block in _microvolts(group, stretch, quality):
        resampled = resampler.push(block)[:, : total - given]
        given += resampled.shape[1]
        yield resampled
    yield resampler.flush(total)[:, : total - given]


def _by_fft(group: Group, stretch: Stretch, total: int, quality: ChannelQuality) -> Iterator[Floats]:
    """Yield `total` samples, resampled channel by channel by a transform of the whole stretch."""
    whole = np.concatenate(list(_microvolts(group, stretch, quality)), axis=1)
    resampled = np.stack([resample_by_fft(channel, total) for channel in whole])
    return (resampled[:, start : start + _BLOCK] for start in range(0, total, _BLOCK))


def _microvolts(group: Group, stretch: Stretch, quality: ChannelQuality) -> Iterator[Floats]:
    for block in group.blocks(stretch):
        quality.add(block)
        yield group.above(group.integers[stretch.start], block)


def _slope(group: Group, stretch: Stretch) -> Floats | None:
    """Return the rise per sample from a stretch's first to its last sample."""
    if stretch.samples < 2:
        return None
    last = group.integers[stretch.start + stretch.samples - 1]
    rise: Floats = group.above(group.integers[stretch.start], last[:, None])[:, 0] / (stretch.samples - 1)
    return rise


def _of_one_size(stream: Iterator[Floats]) -> Iterator[Floats]:
    """Yield the same samples in blocks of one size; only the last is shorter."""
    pending: list[Floats] = []
    for block in stream:
        pending.append(block)
        while sum(part.shape[1] for part in pending) >= _BLOCK:
            joined = np.concatenate(pending, axis=1)
            yield joined[:, :_BLOCK]
            pending = [joined[:, _BLOCK:]]
    rest = np.concatenate(pending, axis=1)
    if rest.shape[1]:
        yield rest


def _both_ways(part: NDArray[np.float32], coefficients: Floats) -> None:
    for channel in part:
        samples = channel.astype(np.float64)
        filter_both_ways(samples, coefficients)
        channel[:] = samples
