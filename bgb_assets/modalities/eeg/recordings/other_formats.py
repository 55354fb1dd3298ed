"""Every format that is no EDF, read by MNE: BrainVision, EEGLAB, FIF, Neuroscan, Persyst, Nihon Kohden, EGI.

MNE gives volts. Where they are whole multiples of the resolution that the header states, those integers are the
file's own; otherwise samples become 32-bit integers of a step that is stated. Belongs here: what MNE says of a file.
Does not belong here: which signals are used (`channels`). MNE is loaded when a file is opened, not before.
"""

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.recordings.recording import BLOCK_BYTES, Segment, Signal, Text, Texts
from bgb_assets.runtime.errors import BadInput, ConfigError, is_resource_error

FORMATS = {
    ".vhdr": "brainvision",
    ".set": "eeglab",
    ".fif": "fif",
    ".cnt": "neuroscan",
    ".lay": "persyst",
    ".eeg": "nihon kohden",
    ".mff": "egi",
}
"""Suffix of the file that is opened -> name of the format."""

Volts = NDArray[np.float64]

_VOLT = 107  # FIFF_UNIT_V
_PEAK = {16: (1 << 15) - 1, 32: (1 << 31) - 1}
_WHOLE = 1e-6
"""Volts are whole multiples of the resolution if none is off by more than this share of it, or of a smaller peak."""

_BOUNDARIES = ("boundary", "new segment/")
_SKIP = "bad_acq_skip"
_REMEDY = "convert the recording to EDF, or exclude it"


@dataclass(frozen=True)
class MneRecording:
    """A recording that MNE has open; see `recording.Recording`."""

    raw: Any
    format: str
    bits: int
    signals: tuple[Signal, ...]
    repairs: tuple[str, ...]

    @property
    def start(self) -> str | None:
        """ISO 8601 time of the first sample, or None; on the recorder's clock, whatever zone that was."""
        date = self.raw.info["meas_date"]
        return None if date is None else date.replace(tzinfo=None).isoformat()

    def segments(self, rate_hz: float) -> tuple[Segment, ...]:
        """Return the segments: marked boundaries part them, skipped stretches are in none."""
        starts = accumulate((last - first for first, last in self._spans), initial=0)
        return tuple(
            Segment(start, last - first, first / rate_hz)
            for start, (first, last) in zip(starts, self._spans, strict=False)
        )

    def texts(self) -> Texts:
        """Return the comments and events in the file."""
        return Texts(tuple(_annotations(self.raw)))

    def blocks(self, indices: Sequence[int]) -> Iterator[NDArray[np.integer]]:
        """Yield the integers of signals, in time order."""
        by_index = {signal.index: signal for signal in self.signals}
        gains = np.array([by_index[index].gain for index in indices])
        dtype = np.int16 if self.bits == 16 else np.int32
        for first, last in self._spans:
            for block in _volt_blocks(self.raw, indices, first, last):
                yield np.rint(block / gains[:, None]).astype(dtype).T

    @cached_property
    def _spans(self) -> tuple[tuple[int, int], ...]:
        """(first sample, one after the last) of each stretch without a gap."""
        total, rate_hz = int(self.raw.n_times), float(self.raw.info["sfreq"])
        bounds = {0, total}
        skipped: list[tuple[int, int]] = []
        for onset_s, duration_s, text in _annotations(self.raw):
            first = min(max(round(onset_s * rate_hz), 0), total)
            if text.casefold() == _SKIP:
                skipped.append((first, min(first + round((duration_s or 0.0) * rate_hz), total)))
                bounds |= set(skipped[-1])
            elif text.casefold().startswith(_BOUNDARIES):
                bounds.add(first)
        return tuple(
            (first, last)
            for first, last in pairwise(sorted(bounds))
            if not any(begin <= first < end for begin, end in skipped)
        )


def open_other(path: Path) -> MneRecording:
    """Open a recording that is no EDF.

    Raises:
        BadInput: MNE cannot read it, or it holds values that are not finite.
        ConfigError: MNE is not installed.
    """
    format_ = FORMATS[path.suffix.lower()]
    with _damage_named(path), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        raw = _mne().io.read_raw(path, preload=False, verbose="error")
        signals = tuple(_signal(raw, index) for index in range(len(raw.ch_names)))
        signals, bits, notes = _scaled(raw, signals)
    repairs = dict.fromkeys(str(warning.message).splitlines()[0] for warning in said)
    return MneRecording(raw, format_, bits, signals, (*(f"MNE: {text}" for text in repairs), *notes))


def _mne() -> Any:
    try:
        import mne
    except ImportError as error:
        raise ConfigError("recordings other than EDF and BDF need MNE: pip install 'bgb-assets[formats]'") from error
    return mne


def _signal(raw: Any, index: int) -> Signal:
    channel = raw.info["chs"][index]
    return Signal(
        index=index,
        label=str(channel["ch_name"]),
        rate_hz=float(raw.info["sfreq"]),
        unit="V",
        gain=float(channel["cal"]) * float(channel["range"]),
        offset=0.0,
        problem=None if int(channel["unit"]) == _VOLT else "its unit is no voltage",
    )


def _scaled(raw: Any, signals: tuple[Signal, ...]) -> tuple[tuple[Signal, ...], int, tuple[str, ...]]:
    """Return the signals with gains that make integers of their volts, the bits these take, and what was done."""
    volts = [signal.index for signal in signals if signal.problem is None]
    if not volts:
        return signals, 16, ()
    gains = np.array([signals[index].gain or 1.0 for index in volts])
    low, high, off = _extremes(raw, volts, gains)
    peaks = np.maximum(-low, high)
    # A float file states a step of 1 V, of which every sample is nearly none.
    whole = (off <= _WHOLE * np.minimum(peaks, 1.0)) & (peaks <= _PEAK[32])
    small = (np.rint(low) >= -_PEAK[16] - 1) & (np.rint(high) <= _PEAK[16])
    steps_v = np.where(whole, gains, np.where(peaks > 0.0, peaks * np.abs(gains), 1.0) / _PEAK[32])
    scaled = {index: replace(signals[index], gain=float(step)) for index, step in zip(volts, steps_v, strict=True)}
    notes: tuple[str, ...] = ()
    if not whole.all():
        coarsest_uv = float(steps_v[~whole].max()) * 1e6
        notes = (f"samples that are no integers are kept in steps of at most {coarsest_uv:.3g} uV",)
    bits = 16 if bool((whole & small).all()) else 32
    return tuple(scaled.get(signal.index, signal) for signal in signals), bits, notes


def _extremes(raw: Any, indices: Sequence[int], gains: Volts) -> tuple[Volts, Volts, Volts]:
    """Return each signal's least and greatest value in steps, and the most that a value is off a whole step."""
    low, high, off = np.zeros(len(indices)), np.zeros(len(indices)), np.zeros(len(indices))
    for block in _volt_blocks(raw, indices):
        if not np.isfinite(block).all():
            raise BadInput("it holds values that are not finite", _REMEDY)
        steps = block / gains[:, None]
        low, high = np.minimum(low, steps.min(axis=1)), np.maximum(high, steps.max(axis=1))
        off = np.maximum(off, np.abs(steps - np.rint(steps)).max(axis=1))
    return low, high, off


def _volt_blocks(raw: Any, indices: Sequence[int], first: int = 0, last: int | None = None) -> Iterator[Volts]:
    """Yield (signals, samples) in volts."""
    count, last = max(1, BLOCK_BYTES // (8 * len(raw.ch_names))), int(raw.n_times) if last is None else last
    for start in range(first, last, count):
        yield raw.get_data(picks=list(indices), start=start, stop=min(start + count, last), verbose="error")


def _annotations(raw: Any) -> list[Text]:
    """Return MNE's annotations with onsets from the first sample, without BrainVision's word for a comment."""
    held = raw.annotations
    shift_s = float(raw.first_time) if held.orig_time is not None else 0.0
    return [
        (float(onset_s) - shift_s, float(duration_s) or None, str(text).removeprefix("Comment/"))
        for onset_s, duration_s, text in zip(held.onset, held.duration, held.description, strict=True)
    ]


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """Name the file in whatever MNE raises, and keep what it prints off the screen."""
    try:
        with redirect_stdout(io.StringIO()):
            yield
    except (BadInput, ConfigError):
        raise
    except Exception as error:  # a damaged file makes MNE raise anything
        if is_resource_error(error) or isinstance(error, MemoryError):
            raise
        said = (str(error).splitlines() or [""])[0].replace(f"{path.parent}/", "")
        raise BadInput(f"{path.name} cannot be read ({type(error).__name__}: {said})", _REMEDY) from error
