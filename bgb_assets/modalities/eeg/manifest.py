"""Stage manifest: every recording with patient and split, and every window with its seizure time, from notes alone.

Belongs here: the stage's functions and its files. Does not belong here: the rows (`windows.corpus`), the windows
(`windows.windows`), the notes in a few files (`windows.note_files`). Next in the flow: `tokens`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bgb_assets.modalities.contract import FanIn, PartPlan, StageResult
from bgb_assets.modalities.eeg.manifest_params import ManifestParams
from bgb_assets.modalities.eeg.windows.corpus import (
    INTERVALS_FILE,
    RECORDINGS_FILE,
    ROWS,
    SEGMENTS_FILE,
    WHERE,
    WINDOWS_FILE,
    Recording,
    channels_of,
    count_windows,
    interval_table,
    make_rows,
    read_recording,
    recording_table,
    require_one_patient_each,
    same_signals,
    segment_table,
    window_table,
)
from bgb_assets.modalities.eeg.windows.note_files import plan_tables, read_intervals, write_table
from bgb_assets.storage.columns import content_digest
from bgb_assets.storage.digests import sha256_json
from bgb_assets.storage.manifest import write_manifest
from bgb_assets.storage.pins import Decision, read_pins
from bgb_assets.storage.splits import NONE
from bgb_assets.storage.tables import write_listing


def plan(fan_in: FanIn, params: ManifestParams) -> Mapping[str, PartPlan]:
    """Name the files of tables and the recordings in each."""
    return plan_tables(fan_in.members, params)


def run_part(name: str, fan_in: FanIn, params: ManifestParams, out: Path) -> StageResult:
    """Write one file with the rows of its members, and its index."""
    return write_table(name, fan_in.members, out, params.rows_per_group)


def run(fan_in: FanIn, params: ManifestParams, out: Path) -> StageResult:
    """Write the rows, the windows, their exact counts and the listing of the tables; opens no signal.

    Raises:
        BadInput: One signal under two patients, or one patient in two splits.
        ContractError: Notes and features do not fit together.
        ConfigError: A pin file cannot be used.
    """
    listing = write_listing(out, fan_in.parts)
    intervals = read_intervals(out, fan_in.root)
    none = np.zeros((0, 2), np.int64)
    recordings = [read_recording(member, intervals.get(member.key, none), params) for member in fan_in.members]
    require_one_patient_each(recordings)
    rows, decision = make_rows(recordings, read_pins(fan_in.pins), params)
    windows = window_table(recordings, _splits_of_windows(rows))
    notes = _window_notes(windows, recordings, params) | {"moved": [asdict(move) for move in decision.moves]}
    manifest = write_manifest(out, rows, where=WHERE, schema=ROWS, params=params, notes=notes)
    tables = {
        WINDOWS_FILE: windows,
        RECORDINGS_FILE: recording_table(rows),
        INTERVALS_FILE: interval_table(recordings),
        SEGMENTS_FILE: segment_table(recordings),
    }
    for name, table in tables.items():
        pq.write_table(table, out / name, compression="zstd", version="2.6", row_group_size=max(1, table.num_rows))
    contents = {name: content_digest(table) for name, table in tables.items()}
    return StageResult(
        facets={
            "rows": manifest["digests"]["rows"],
            "windows": sha256_json([contents, notes["channels"], notes["window_samples"], notes["stride_samples"]]),
            "tables": sha256_json(
                [[file["part"], file["digest"]] for one in listing["tables"].values() for file in one]
            ),
        },
        metadata={name: manifest[name] for name in ("rows", "included", "excluded", "reasons", "splits", "windows")},
        warnings=tuple(_warnings(recordings, manifest["windows"], decision)),
    )


def _splits_of_windows(rows: pa.Table) -> list[int]:
    pairs = zip(rows.column("split").to_pylist(), rows.column("included").to_pylist(), strict=True)
    return [split if included else NONE for split, included in pairs]


def _window_notes(windows: pa.Table, recordings: Sequence[Recording], params: ManifestParams) -> dict[str, Any]:
    return {
        "windows": count_windows(windows),
        "window_samples": params.window_samples,
        "stride_samples": params.stride_samples,
        "channels": channels_of(recordings),
    }


def _warnings(
    recordings: Sequence[Recording], counts: Mapping[str, Mapping[str, Any]], decision: Decision
) -> Iterator[str]:
    for first, second in same_signals(recordings):
        yield f"recordings {first!r} and {second!r} hold the same signal: it counts twice"
    for name, found in counts.items():
        if found["windows"] and not found["positive_samples"]:
            yield f"split {name} has {found['windows']} windows and no seizure"
    for move in decision.moves:
        yield f"patient {move.group!r} was pinned to {move.pinned} and is in {move.split} now"
    if conflicts := sum(decision.conflicts):
        yield f"{conflicts} recordings are left out as split_conflict: pin or source disagrees with the patient"
