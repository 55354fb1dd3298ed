"""EDF and BDF files: samples in blocks of whole data records, and the segments of EDF+D.

Belongs here: the layout of data records. Does not belong here: the header and its repairs (`edf_header`), time
stamps (`edf_times`). A file passes through in blocks, so that a day takes no more memory than a minute.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.recordings.edf_header import Column, Header, read_header
from bgb_assets.modalities.eeg.recordings.edf_times import Run, runs_of, stamp_s, texts_of
from bgb_assets.modalities.eeg.recordings.recording import BLOCK_BYTES, Segment, Signal, Text, Texts
from bgb_assets.runtime.errors import BadInput

SUFFIXES = (".edf", ".bdf")


@dataclass(frozen=True)
class EdfRecording:
    """An EDF or BDF file; see `recording.Recording`."""

    path: Path
    header: Header
    runs: tuple[Run, ...]
    repairs: tuple[str, ...]
    first_stamp_s: float

    @property
    def format(self) -> str:
        """`"edf"` or `"bdf"`, by content."""
        return self.header.format

    @property
    def bits(self) -> int:
        """Bits of a sample."""
        return 8 * self.header.sample_bytes

    @property
    def signals(self) -> tuple[Signal, ...]:
        """All signals but those of annotations."""
        return self.header.signals

    @property
    def start(self) -> str | None:
        """ISO 8601 time of the first sample, or None."""
        start = self.header.start
        return None if start is None else (start + timedelta(seconds=self.first_stamp_s)).isoformat()

    def segments(self, rate_hz: float) -> tuple[Segment, ...]:
        """Return the segments in samples of the signals of this rate."""
        samples = round(rate_hz * self.header.record_duration_s)
        return tuple(Segment(run.first * samples, run.records * samples, run.onset_s) for run in self.runs)

    def texts(self) -> Texts:
        """Read the texts of EDF+ annotations; onsets count from the first sample."""
        items: list[Text] = []
        damaged = 0
        for column in self.header.annotations:
            for annotation in _annotations(self.path, self.header, column):
                found, whole = texts_of(annotation, self.first_stamp_s)
                items += found
                damaged += not whole
        warnings = (f"annotations of {damaged} records cannot be read whole",) if damaged else ()
        return Texts(tuple(items), warnings)

    def blocks(self, indices: Sequence[int]) -> Iterator[NDArray[np.integer]]:
        """Yield the integers of signals of one rate, in time order."""
        columns = [self._columns[index] for index in indices]
        data = _mapped(self.path, self.header)
        for records, samples in _pieces(self.header, columns[0].samples):
            pieces = [data[records, column.first + samples.start : column.first + samples.stop] for column in columns]
            block = np.empty((pieces[0].shape[0] * pieces[0].shape[1], len(columns)), _dtype(self.header))
            for place, piece in enumerate(pieces):
                block[:, place] = _integers(piece)
            yield block

    @cached_property
    def _columns(self) -> dict[int, Column]:
        return {signal.index: column for signal, column in zip(self.signals, self.header.columns, strict=True)}


def open_edf(path: Path) -> EdfRecording:
    """Open an EDF or BDF file; reads its header and, of EDF+, the time stamps that matter.

    Raises:
        BadInput: See `edf_header.read_header`; or an EDF+D file without usable time stamps.
    """
    header = read_header(path)
    whole = (Run(0, header.records, 0.0),)
    if not header.annotations:
        if header.discontinuous:
            raise BadInput("EDF+D without annotations: the times of its records are lost", "export it as EDF+C")
        return EdfRecording(path, header, whole, header.repairs, 0.0)
    if not header.discontinuous:
        first_s = stamp_s(next(_annotations(path, header, header.annotations[0])))
        unknown = ("the first record has no time stamp: read as 0 s",) if first_s is None else ()
        return EdfRecording(path, header, whole, (*header.repairs, *unknown), first_s or 0.0)
    runs, first_s = _discontinuous(path, header)
    return EdfRecording(path, header, runs, header.repairs, first_s)


def _discontinuous(path: Path, header: Header) -> tuple[tuple[Run, ...], float]:
    stamps_s = [stamp_s(annotation) for annotation in _annotations(path, header, header.annotations[0])]
    onsets_s = [stamp for stamp in stamps_s if stamp is not None]
    if len(onsets_s) < len(stamps_s):
        raise BadInput(f"record {stamps_s.index(None)} of an EDF+D file has no time stamp", "export it as EDF+C")
    fastest_hz = max((signal.rate_hz for signal in header.signals), default=1.0)
    return runs_of(onsets_s, float(header.record_duration_s), 0.5 / fastest_hz), onsets_s[0]


def _annotations(path: Path, header: Header, column: Column) -> Iterator[bytes]:
    """Yield the bytes of one annotation signal, record by record."""
    record_bytes = header.record_samples * header.sample_bytes
    shape = (header.records, record_bytes)
    data = np.memmap(path, dtype="u1", mode="r", offset=header.data_offset, shape=shape)
    first, last = (column.first * header.sample_bytes, (column.first + column.samples) * header.sample_bytes)
    return (record.tobytes() for record in data[:, first:last])


def _mapped(path: Path, header: Header) -> NDArray[Any]:
    """Map the data as (records, samples of a record) of int16, or with a last axis of three bytes."""
    three = () if header.sample_bytes == 2 else (3,)
    dtype = "<i2" if header.sample_bytes == 2 else "u1"
    shape = (header.records, header.record_samples, *three)
    return np.memmap(path, dtype=dtype, mode="r", offset=header.data_offset, shape=shape)


def _dtype(header: Header) -> Any:
    return np.int16 if header.sample_bytes == 2 else np.int32


def _pieces(header: Header, samples: int) -> Iterator[tuple[slice, slice]]:
    """Yield (records, samples within each) that make blocks of bounded size; some files are one record of hours."""
    record_bytes = header.record_samples * header.sample_bytes
    count = BLOCK_BYTES // record_bytes
    if count:
        for first in range(0, header.records, count):
            yield slice(first, first + count), slice(0, samples)
        return
    step = max(1, samples * BLOCK_BYTES // record_bytes)
    for record in range(header.records):
        for start in range(0, samples, step):
            yield slice(record, record + 1), slice(start, min(start + step, samples))


def _integers(piece: NDArray[Any]) -> NDArray[np.integer]:
    """Return mapped samples one after the other; three bytes become an int32."""
    if piece.dtype.itemsize == 2:
        return piece.reshape(-1)
    low, middle, high = (piece[..., byte].astype(np.int32) for byte in range(3))
    unsigned = low | (middle << 8) | (high << 16)
    return ((unsigned ^ 0x800000) - 0x800000).reshape(-1)
