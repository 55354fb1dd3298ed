"""The header of an EDF or BDF file, mended in memory where it is known how; every repair is named.

edfio reads the fields; here is what it needs mended before, and what its fields are held against: the size of the
file. Text on patient and equipment is not looked at. Belongs here: the header and the number of records.
Does not belong here: samples (`edf`) and time stamps (`edf_times`).
"""

import math
import re
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

from bgb_assets.modalities.eeg.recordings.recording import Signal
from bgb_assets.runtime.errors import BadInput

BASE_BYTES = 256
"""Of the part that describes the file, and again for each signal."""

ANNOTATION_LABELS = ("EDF Annotations", "BDF Annotations")

_MAGIC = {b"0       ": ("edf", 2), b"\xffBIOSEMI": ("bdf", 3)}
_START, _HEADER_BYTES, _RESERVED = slice(168, 184), slice(184, 192), slice(192, 236)
_RECORDS, _RECORD_DURATION, _SIGNALS = slice(236, 244), slice(244, 252), slice(252, 256)
_CLIPPING_YEAR = 85
"""Two digits of a year from here on are of the twentieth century (EDF+, rule 2)."""

_EXPORT_AGAIN = "export the recording again or exclude it"


@dataclass(frozen=True)
class Column:
    """Where a signal's samples lie within each data record."""

    first: int
    samples: int


@dataclass(frozen=True)
class Header:
    """One EDF or BDF file, as far as its header and size say.

    Attributes:
        sample_bytes: 2 or 3.
        record_duration_s: Seconds, exactly as the file writes them.
        signals, columns: Ordinary signals and where they lie; `annotations` are those of texts.
        discontinuous: Marked as EDF+D or BDF+D.
        start: Of the first record to the second, or None.
    """

    format: str
    sample_bytes: int
    data_offset: int
    records: int
    record_samples: int
    record_duration_s: Fraction
    signals: tuple[Signal, ...]
    columns: tuple[Column, ...]
    annotations: tuple[Column, ...]
    discontinuous: bool
    start: datetime | None
    repairs: tuple[str, ...]


def read_header(path: Path) -> Header:
    """Read and mend the header of an EDF or BDF file.

    Raises:
        BadInput: It is no EDF or BDF, breaks off, or describes no record that could be read.
    """
    repairs: list[str] = []
    with path.open("rb") as file:
        base = file.read(BASE_BYTES)
        if base[:8] not in _MAGIC or len(base) < BASE_BYTES:
            raise BadInput(f"{len(base)} bytes of header begin with {base[:8]!r}, no EDF or BDF", _EXPORT_AGAIN)
        n_signals = _whole_number(base, _SIGNALS, "number of signals", 1)
        rest = file.read(BASE_BYTES * n_signals)
    if len(rest) < BASE_BYTES * n_signals:
        raise BadInput(
            f"the header of {n_signals} signals breaks off after {BASE_BYTES + len(rest)} bytes", _EXPORT_AGAIN
        )
    data_offset = BASE_BYTES * (n_signals + 1)
    _mend_length(base, data_offset, repairs)
    duration = _record_duration(base)
    format_, sample_bytes = _MAGIC[base[:8]]
    parsed = _parsed(format_, base, rest, data_offset)
    signals, columns, annotations, record_samples = _signals(parsed, duration)
    size = path.stat().st_size - data_offset
    return Header(
        format=format_,
        sample_bytes=sample_bytes,
        data_offset=data_offset,
        records=_records(base, size, record_samples * sample_bytes, duration, repairs),
        record_samples=record_samples,
        record_duration_s=duration,
        signals=signals,
        columns=columns,
        annotations=annotations,
        discontinuous=base[_RESERVED].startswith((b"EDF+D", b"BDF+D")),
        start=_start(base, repairs),
        repairs=tuple(repairs),
    )


def _text(base: bytes, field: slice) -> str:
    return base[field].decode("latin-1").strip(" \0")


def _whole_number(base: bytes, field: slice, name: str, least: int) -> int:
    text = _text(base, field)
    if not re.fullmatch(r"\+?\d+", text) or int(text) < least:
        raise BadInput(f"{name} must be a whole number of at least {least}, got {text!r}", _EXPORT_AGAIN)
    return int(text)


def _mend_length(base: bytes, expected: int, repairs: list[str]) -> None:
    text = _text(base, _HEADER_BYTES)
    if text != str(expected):
        repairs.append(f"length of the header {text!r}: {expected} bytes by the number of signals")


def _record_duration(base: bytes) -> Fraction:
    text = _text(base, _RECORD_DURATION)
    if text == "0":  # what EDF+ says of a file of annotations alone
        raise BadInput("duration of a data record must be positive, got '0' s: no signals", _EXPORT_AGAIN)
    try:
        duration = Fraction(text)
    except (ValueError, ZeroDivisionError):
        duration = Fraction(0)
    if duration <= 0:
        raise BadInput(f"duration of a data record must be positive, got {text!r} s", _EXPORT_AGAIN)
    return duration


def _parsed(format_: str, base: bytes, rest: bytes, data_offset: int) -> Any:
    """Return edfio's view of the header alone: a file of no records, so that it neither warns nor reads data."""
    import edfio

    mended = bytearray(base)
    mended[_HEADER_BYTES] = f"{data_offset:<8}".encode()
    mended[_RECORDS] = b"0       "
    # What is written on the patient must not stand in a message of edfio's.
    mended[8:168] = b" " * 160
    read = edfio.read_edf if format_ == "edf" else edfio.read_bdf
    try:
        # Some recorders fill fields with zero bytes where EDF wants blanks.
        return read(bytes(mended) + rest.replace(b"\0", b" "), header_encoding="latin-1")
    except (ValueError, ArithmeticError) as error:
        raise BadInput(f"the header of the signals cannot be read: {error}", _EXPORT_AGAIN) from error


def _signals(parsed: Any, duration: Fraction) -> tuple[tuple[Signal, ...], tuple[Column, ...], tuple[Column, ...], int]:
    signals: list[Signal] = []
    columns: list[Column] = []
    annotations: list[Column] = []
    first = 0
    for index, field in enumerate(parsed._signals):
        samples = int(field.samples_per_data_record)
        if samples < 0:
            raise BadInput(f"signal {index} has {samples} samples in a record", _EXPORT_AGAIN)
        if field.label in ANNOTATION_LABELS:
            annotations.append(Column(first, samples))
        else:
            columns.append(Column(first, samples))
            signals.append(_signal(index, field, samples, duration))
        first += samples
    if first == 0:
        raise BadInput("a data record holds no sample", _EXPORT_AGAIN)
    return tuple(signals), tuple(columns), tuple(annotations), first


def _signal(index: int, field: Any, samples: int, duration: Fraction) -> Signal:
    gain, offset, problem = _calibration(field)
    if problem is None and samples == 0:
        problem = "no sample in a record"
    return Signal(
        index=index,
        label=_as_written(field.label),
        rate_hz=float(samples / duration),
        unit=_as_written(field.physical_dimension),
        gain=gain,
        offset=offset,
        problem=problem,
    )


def _calibration(field: Any) -> tuple[float, float, str | None]:
    """Return gain, offset and why there is none: physical = gain * integer + offset."""
    try:
        digital = float(field.digital_min), float(field.digital_max)
        physical = float(field.physical_min), float(field.physical_max)
    except (ValueError, OverflowError):
        return 1.0, 0.0, "its physical or digital range is no number"
    if digital[0] == digital[1]:
        return 1.0, 0.0, f"digital range [{digital[0]:g}, {digital[1]:g}] is empty"
    if physical[0] == physical[1] or not all(map(math.isfinite, (*physical, *digital))):
        return 1.0, 0.0, f"physical range [{physical[0]:g}, {physical[1]:g}] is empty or not finite"
    gain = (physical[1] - physical[0]) / (digital[1] - digital[0])
    offset = physical[0] - gain * digital[0]
    if gain == 0.0 or not math.isfinite(gain) or not math.isfinite(offset):
        return 1.0, 0.0, f"gain {gain:g} and offset {offset:g} are no calibration"
    return gain, offset, None


def _as_written(text: str) -> str:
    """Return a field of EDF, which is ASCII, with the micro sign of those who write UTF-8 all the same."""
    try:
        return text.encode("latin-1").decode("utf-8").strip(" \0")
    except UnicodeDecodeError:
        return text.strip(" \0")


def _records(base: bytes, size: int, record_bytes: int, duration: Fraction, repairs: list[str]) -> int:
    """Return how many whole records the file holds, and name where the header or the end says otherwise."""
    held, rest = divmod(max(size, 0), record_bytes)
    if held == 0:
        raise BadInput(f"{max(size, 0)} bytes of data hold no whole record of {record_bytes} bytes", _EXPORT_AGAIN)
    text = _text(base, _RECORDS)
    stated = int(text) if re.fullmatch(r"\+?\d+", text) else None
    if stated is None:
        repairs.append(f"number of records {text!r}: {held} by the size of the file")
    elif stated > held:
        lost_s = float((stated - held) * duration)
        repairs.append(f"the file ends after {held} of {stated} records: {lost_s:g} s are lost")
    elif stated < held:
        repairs.append(f"number of records {stated}: {held} by the size of the file")
    if rest and (stated is None or stated > held):
        repairs.append(f"the last record is incomplete: {rest} of {record_bytes} bytes are left out")
    elif rest:
        repairs.append(f"{rest} bytes after the last record are left out")
    return held


def _start(base: bytes, repairs: list[str]) -> datetime | None:
    text = base[_START].decode("latin-1")
    match = re.fullmatch(r"\s*(\d{1,2})(\D)(\d{1,2})(\D)(\d{1,2})\s*(\d{1,2})(\D)(\d{1,2})(\D)(\d{1,2})\s*", text)
    try:
        if match is None:
            raise ValueError
        day, month, year, hour, minute, second = (int(match[group]) for group in (1, 3, 5, 6, 8, 10))
        start = datetime(year + (1900 if year >= _CLIPPING_YEAR else 2000), month, day, hour, minute, second)
    except ValueError:
        repairs.append(f"start {text!r} is no date and time: the start is not known")
        return None
    if {match[group] for group in (2, 4, 7, 9)} != {"."}:
        repairs.append(f"start {text!r} has other separators than '.': read as {start.isoformat()}")
    return start
