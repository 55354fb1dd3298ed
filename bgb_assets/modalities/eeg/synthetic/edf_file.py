"""Writes a made-up recording as EDF+, which says in its header that it is synthetic.

Belongs here: electrodes to labelled signals, microvolts to integers, and the gap of a recorder that stood still.
Does not belong here: what is in the signal; exporting detections (`detection.export`).
"""

import datetime
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.electrodes import BIPOLAR18, CANONICAL
from bgb_assets.modalities.eeg.synthetic.plan import SynthOptions, gap_at_s
from bgb_assets.modalities.eeg.synthetic.waves import Signal

UV_PER_BIT = 0.1
STARTED = datetime.datetime(2000, 1, 1)
SYNTHETIC = "synthetic"

_DIGITAL = (-32_768, 32_767)
_PHYSICAL_UV = (-3_276.8, 3_276.7)
_HEADER_BYTES_FIELD = slice(184, 192)
_TYPE_FIELD = slice(192, 197)
_RECORD_COUNT_FIELD = slice(236, 244)


def write_edf(path: Path, signal: Signal, patient: str, options: SynthOptions) -> None:
    """Write microvolts as EDF+C, or EDF+D with a gap; equal bytes for equal signals."""
    import edfio

    seconds = signal.shape[1] // options.rate_hz
    labelled = [
        edfio.EdfSignal.from_digital(
            digital,
            options.rate_hz,
            label=label,
            physical_dimension="uV",
            physical_range=_PHYSICAL_UV,
            digital_range=_DIGITAL,
        )
        for label, digital in _signals(signal, options)
    ]
    edf = edfio.Edf(
        labelled,
        patient=edfio.Patient(code=patient, additional=(SYNTHETIC,)),
        recording=edfio.Recording(startdate=STARTED.date(), equipment_code="bgb_assets_synth", additional=(SYNTHETIC,)),
        starttime=STARTED.time(),
        data_record_duration=1,
        annotations=(edfio.EdfAnnotation(0, None, f"{SYNTHETIC} recording"),),
    )
    if not options.gap_s:
        edf.write(path)
        return
    path.write_bytes(_without_records(edf.to_bytes(), gap_at_s(seconds), options.gap_s))


def pairs_of(options: SynthOptions) -> tuple[tuple[str, str], ...]:
    """Return the pairs of the double banana whose electrodes are both attached."""
    return tuple(pair for pair in BIPOLAR18 if not set(pair) & set(options.without))


def pair_label(pair: tuple[str, str]) -> str:
    """Return a pair as recorders and label files write it."""
    return f"{pair[0]}-{pair[1]}".upper()


def _signals(signal: Signal, options: SynthOptions) -> list[tuple[str, NDArray[np.int16]]]:
    place = {name: number for number, name in enumerate(CANONICAL)}
    if options.bipolar:
        pairs = pairs_of(options)
        rows = [signal[place[first]] - signal[place[second]] for first, second in pairs]
        labels: Sequence[str] = [pair_label(pair) for pair in pairs]
    else:
        names = [name for name in CANONICAL if name not in options.without]
        rows = [signal[place[name]] for name in names]
        labels = [f"EEG {name}-REF".upper() for name in names]
    return [(label, _digital(row, options)) for label, row in zip(labels, rows, strict=True)]


def _digital(row: NDArray[np.float32], options: SynthOptions) -> NDArray[np.int16]:
    """Return integers of 0.1 microvolts, with zeros for the time of the gap."""
    integers: NDArray[np.int16] = np.clip(np.rint(row / np.float32(UV_PER_BIT)), *_DIGITAL).astype(np.int16)
    if not options.gap_s:
        return integers
    at = gap_at_s(len(row) // options.rate_hz) * options.rate_hz
    return np.insert(integers, at, np.zeros(options.gap_s * options.rate_hz, np.int16))


def _without_records(edf: bytes, first: int, count: int) -> bytes:
    """Return an EDF+D file without some of the records of one second; the others keep their time stamps.

    edfio writes EDF+C only. Format: www.edfplus.info/specs/edfplus.html.
    """
    records = int(edf[_RECORD_COUNT_FIELD])
    header_bytes = int(edf[_HEADER_BYTES_FIELD])
    record_bytes = (len(edf) - header_bytes) // records
    header = bytearray(edf[:header_bytes])
    header[_TYPE_FIELD] = b"EDF+D"
    header[_RECORD_COUNT_FIELD] = f"{records - count:<8}".encode("ascii")
    at = header_bytes + first * record_bytes
    return bytes(header) + edf[header_bytes:at] + edf[at + count * record_bytes :]
