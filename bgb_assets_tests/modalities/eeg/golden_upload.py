"""Recordings whose samples no random stream and no sine can change: whole numbers only.

Belongs here: the uploads of the golden outputs. Does not belong here: the outputs (`golden`).
"""

import datetime
from collections.abc import Sequence
from pathlib import Path

import edfio
import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.electrodes import BIPOLAR18, CANONICAL
from bgb_assets_tests.modalities.eeg.recordings.edf_files import make_discontinuous

ROUNDED = {"features": ("*.i16",)}
"""Stage -> files of whole numbers that were rounded from fractions."""

START = datetime.datetime(2001, 2, 3, 4, 5, 6)
LONG_S, SHORT_S = 70, 9

CSV_BI = """# version = csv_v1.0.0
# bname = aaaaaaaa_s001_t000
# duration = 70.0000 secs
#
channel,start_time,stop_time,label,confidence
TERM,0.0000,20.5000,bckg,1.0000
TERM,20.5000,41.2500,seiz,0.9500
TERM,50.0000,52.0000,seiz,1.0000
"""
CSV = """# version = csv_v1.0.0
# bname = aaaaaaaa_s001_t000
# duration = 70.0000 secs
#
channel,start_time,stop_time,label,confidence
FP1-F7, 20.5000, 33.0000, fnsz, 1.0000
F7-T3, 30.0000, 41.2500, fnsz, 1.0000
C3-CZ, 50.0000, 51.5000, mysz, 1.0000
"""
EVENTS = (
    "onset\tduration\teventType\tconfidence\tchannels\tdateTime\trecordingDuration\r\n"
    "2.0\t1.5\tsz_foc_ia\tn/a\tn/a\t2001-02-03 04:05:06\t10.0\r\n"
    "4.0\t0.5\timpd\tn/a\tn/a\t2001-02-03 04:05:06\t10.0\r\n"
)


def write(out: Path) -> None:
    """Write a recording at 200 Hz without Fz and Pz, and a bipolar one of two segments."""
    attached = [name for name in CANONICAL if name not in ("Fz", "Pz")]
    long = out / "train" / "aaaaaaaa_s001_t000.edf"
    _write_edf(long, [f"EEG {name.upper()}-LE" for name in attached], LONG_S, 200)
    long.with_suffix(".csv_bi").write_text(CSV_BI)
    long.with_suffix(".csv").write_text(CSV)
    short = out / "dev" / "sub-b" / "eeg" / "sub-b_run-0_eeg.edf"
    _write_edf(short, [f"{a}-{b}".upper() for a, b in BIPOLAR18], SHORT_S, 256)
    make_discontinuous(short, {5: 1})
    short.with_name("sub-b_run-0_events.tsv").write_bytes(EVENTS.encode())


def _write_edf(path: Path, labels: Sequence[str], seconds: int, rate_hz: int) -> None:
    path.parent.mkdir(parents=True)
    signals = [
        edfio.EdfSignal.from_digital(
            _wave(number, seconds * rate_hz),
            rate_hz,
            label=label,
            physical_dimension="uV",
            physical_range=(-3_276.8, 3_276.7),
        )
        for number, label in enumerate(labels)
    ]
    kept = {"starttime": START.time(), "recording": edfio.Recording(startdate=START.date())}
    edfio.Edf(signals, data_record_duration=1, annotations=(), **kept).write(path)


def _wave(number: int, samples: int) -> NDArray[np.int16]:
    """Return two triangles of different length and something like noise, in tenths of a microvolt."""
    at = np.arange(samples, dtype=np.int64)
    slow = np.abs(at * (5 + number) % 1_200 - 600) - 300
    fast = np.abs(at * (70 + number) % 400 - 200) - 100
    noise = (at * at * 40_503 + number * 7_919) // 64 % 61 - 30
    return (slow + fast + noise).astype(np.int16)
