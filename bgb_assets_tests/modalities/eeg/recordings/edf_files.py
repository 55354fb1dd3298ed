"""Small EDF and BDF files that tests write: real files by edfio, and the damage that is done to them."""

import datetime
from collections.abc import Sequence
from pathlib import Path

import edfio
import numpy as np

from bgb_assets.modalities.eeg.electrodes import CANONICAL

REFERENTIAL = tuple(f"EEG {name.upper()}-REF" for name in CANONICAL)
PATIENT = "Somebody"

RECORDS, START, TYPE, HEADER_LENGTH = slice(236, 244), slice(168, 184), slice(192, 197), slice(184, 192)


def integers(samples: int, signals: int, seed: int = 3, bits: int = 16) -> np.ndarray:
    """Return (signals, samples) integers that use the whole range."""
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    rng = np.random.default_rng(seed)
    drawn = rng.integers(low, high, (signals, samples), endpoint=True)
    drawn[:, :2] = low, high
    return drawn.astype(np.int16 if bits == 16 else np.int32)


def write_edf(
    path: Path,
    labels: Sequence[str] = REFERENTIAL,
    seconds: int = 4,
    rates_hz: float | Sequence[float] = 256,
    units: str | Sequence[str] = "uV",
    annotations: Sequence[edfio.EdfAnnotation] | None = None,
    start: datetime.datetime = datetime.datetime(2021, 5, 6, 7, 8, 9),
    bits: int = 16,
    seed: int = 3,
) -> Path:
    """Write one recording in records of one second; a quarter of a microvolt per step, each channel its own offset."""
    rates = [rates_hz] * len(labels) if isinstance(rates_hz, int | float) else rates_hz
    written = [units] * len(labels) if isinstance(units, str) else units
    kind = edfio.EdfSignal if bits == 16 else edfio.BdfSignal
    signals = [
        kind.from_digital(
            integers(round(seconds * rate), 1, seed + index, bits)[0],
            rate,
            label=label,
            physical_dimension=unit,
            physical_range=(-8000 - index, 8000 + 2 * index),
        )
        for index, (label, rate, unit) in enumerate(zip(labels, rates, written, strict=True))
    ]
    whole = edfio.Edf if bits == 16 else edfio.Bdf
    path.parent.mkdir(parents=True, exist_ok=True)
    whole(
        signals,
        patient=edfio.Patient(name=PATIENT),
        recording=edfio.Recording(startdate=start.date()),
        starttime=start.time(),
        data_record_duration=1,
        annotations=annotations,
    ).write(path)
    return path


def patch(path: Path, field: slice, text: str | bytes) -> Path:
    """Overwrite one field of a file's header."""
    content = bytearray(path.read_bytes())
    new = text.encode("latin-1") if isinstance(text, str) else text
    content[field] = new.ljust(field.stop - field.start)
    path.write_bytes(bytes(content))
    return path


def signal_field(n_signals: int, index: int, name: str) -> slice:
    """Return where a field of one signal lies in the header."""
    widths = {
        "label": 16,
        "transducer": 80,
        "unit": 8,
        "physical_min": 8,
        "physical_max": 8,
        "digital_min": 8,
        "digital_max": 8,
        "prefiltering": 80,
        "samples": 8,
    }
    place = 256
    for field, width in widths.items():
        if field == name:
            return slice(place + index * width, place + (index + 1) * width)
        place += width * n_signals
    raise KeyError(name)


def make_discontinuous(path: Path, gaps: dict[int, int]) -> Path:
    """Mark an EDF+C of at most ten records of one second as EDF+D; before record r lie `gaps[r]` more seconds."""
    patch(path, TYPE, "EDF+D")
    content = path.read_bytes()
    # From the last, so that no new time is taken for an old one.
    for record in reversed(range(int(content[RECORDS]))):
        late = record + sum(seconds for at, seconds in gaps.items() if at <= record)
        assert late < 10
        content = content.replace(f"+{record}\x14\x14".encode(), f"+{late}\x14\x14".encode(), 1)
    path.write_bytes(content)
    return path
