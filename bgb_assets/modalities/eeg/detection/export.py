"""Writes events to files: CSV_BI, BIDS `events.tsv` with its `events.json`, EDF+ annotations, JSON, probabilities.

Times have four decimals. Belongs here: the layouts. Does not belong here: finding events (`detect`), reading these
files (`annotations`).
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from bgb_assets.modalities.eeg.annotations.labels import (
    BACKGROUND,
    BIDS_EXPORT_COLUMNS,
    CSV_ALL_CHANNELS,
    CSV_COLUMNS,
    CSV_VERSION,
    HED_SEIZURE,
    NOT_SAID,
    SEIZURE,
)
from bgb_assets.modalities.eeg.detection.findings import Findings

MONTAGE_FILE = "nedc_eas_default_montage.txt"
"""What the layout's own tools expect in a file whose rows are about all channels."""
EDF_TEXT = "seizure"

_COLUMNS: Mapping[str, Mapping[str, Any]] = {
    "onset": {"Description": "Start of the event from the start of the recording.", "Units": "s"},
    "duration": {"Description": "Length of the event.", "Units": "s"},
    "eventType": {
        "Description": "What happened, in the words of HED-SCORE.",
        "Levels": {HED_SEIZURE: "Epileptic seizure.", BACKGROUND: "No event in the whole recording."},
    },
    "confidence": {"Description": "Mean probability of the event according to the detector, 0 to 1."},
    "channels": {"Description": "Channels of the event; the detector does not say."},
    "dateTime": {"Description": "Start of the recording.", "Format": "%Y-%m-%d %H:%M:%S"},
    "recordingDuration": {"Description": "Length of the recording.", "Units": "s"},
}


def csv_bi(findings: Findings) -> str:
    """Return the text of a `.csv_bi` file: rows cover the whole recording, seizures and background in turn."""
    comments = [
        f"# version = {CSV_VERSION}",
        f"# bname = {findings.name}",
        f"# duration = {findings.duration_s:.4f} secs",
        f"# montage_file = {MONTAGE_FILE}",
        "#",
    ]
    rows = [(onset, offset, SEIZURE, p) for onset, offset, p in _seizure_rows(findings)]
    rows += [(onset, offset, BACKGROUND, p) for onset, offset, p in findings.background_rows()]
    lines = [
        f"{CSV_ALL_CHANNELS},{onset:.4f},{offset:.4f},{label},{p:.4f}"
        for onset, offset, label, p in sorted(rows)
        if f"{onset:.4f}" != f"{offset:.4f}"
    ]
    return "\n".join([*comments, ",".join(CSV_COLUMNS), *lines]) + "\n"


def events_tsv(findings: Findings) -> str:
    """Return the text of a BIDS `events.tsv`: one row per seizure, or one of background where there is none."""
    rows = [(onset, offset, HED_SEIZURE, p) for onset, offset, p in _seizure_rows(findings)]
    if not rows:
        rows = [(onset, offset, BACKGROUND, p) for onset, offset, p in findings.background_rows()]
    constant = [NOT_SAID, _date_time(findings.start), f"{findings.duration_s:.4f}"]
    lines = ["\t".join(BIDS_EXPORT_COLUMNS)]
    for onset, offset, label, p in rows:
        # The difference of the rounded times, so that onset and duration add up to the rounded end.
        duration = round(offset, 4) - round(onset, 4)
        lines.append("\t".join([f"{onset:.4f}", f"{duration:.4f}", label, f"{p:.4f}", *constant]))
    return "\n".join(lines) + "\n"


def events_json() -> str:
    """Return the text of the `events.json` that says what the columns of `events_tsv` are."""
    return json.dumps(_COLUMNS, indent=2) + "\n"


def findings_json(findings: Findings) -> str:
    """Return all that was found as JSON text."""
    return json.dumps(findings.as_json(), indent=2, sort_keys=True) + "\n"


def edf_annotations(findings: Findings) -> bytes:
    """Return an EDF+ file without signals whose annotations are the seizures, or one of background."""
    import edfio

    started = _started(findings.start)
    rows = [(onset, offset, EDF_TEXT) for onset, offset, _ in _seizure_rows(findings)]
    date = started.date() if started else None
    edf = edfio.Edf(
        [],
        starttime=started.time() if started else None,
        recording=edfio.Recording(startdate=date) if date else None,
        annotations=[
            edfio.EdfAnnotation(round(onset, 4), round(round(offset, 4) - round(onset, 4), 4), text)
            for onset, offset, text in rows or [(0.0, findings.duration_s, BACKGROUND)]
        ],
    )
    return edf.to_bytes()


def write_all(findings: Findings, folder: Path) -> dict[str, Path]:
    """Write every layout into a folder; return what each file is -> its path."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = findings.name.removesuffix("_eeg")
    layouts: Mapping[str, tuple[str, Callable[[], bytes]]] = {
        "csv_bi": (f"{findings.name}.csv_bi", lambda: csv_bi(findings).encode()),
        "events.tsv": (f"{stem}_events.tsv", lambda: events_tsv(findings).encode()),
        "events.json": (f"{stem}_events.json", lambda: events_json().encode()),
        "edf": (f"{stem}_annotations.edf", lambda: edf_annotations(findings)),
        "json": (f"{stem}.json", lambda: findings_json(findings).encode()),
    }
    written = {}
    for layout, (name, made) in layouts.items():
        written[layout] = folder / name
        written[layout].write_bytes(made())
    written["probabilities"] = folder / f"{stem}_probabilities.npy"
    np.save(written["probabilities"], findings.probabilities.astype("<f2"))
    return written


def _seizure_rows(findings: Findings) -> list[tuple[float, float, float]]:
    return [(*event, p) for event, p in zip(findings.events.tolist(), findings.confidence.tolist(), strict=True)]


def _date_time(start: str | None) -> str:
    started = _started(start)
    return f"{started:%Y-%m-%d %H:%M:%S}" if started else NOT_SAID


def _started(start: str | None) -> datetime | None:
    return datetime.fromisoformat(start).replace(microsecond=0, tzinfo=None) if start else None
