"""All recordings of a corpus and their windows: the rows of the manifest and its numeric tables.

Belongs here: joining what cache, features and notes say of a recording; splits by patient; exact counts. Does not
belong here: the files (`manifest`), the arithmetic (`windows`).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bgb_assets.modalities.contract import Member
from bgb_assets.modalities.eeg.manifest_params import ManifestParams
from bgb_assets.modalities.eeg.windows.windows import (
    CATEGORY_NAMES,
    FULL,
    NO_SEIZURE,
    PARTIAL,
    Segments,
    Windows,
    segments_of,
    windows_of,
)
from bgb_assets.runtime.errors import BadInput, ContractError
from bgb_assets.storage.columns import as_numpy, from_numpy
from bgb_assets.storage.manifest import SPLIT_CONFLICT, rows_schema
from bgb_assets.storage.pins import Decision, Pins, decide
from bgb_assets.storage.splits import NONE, SPLIT_NAMES, TEST, TRAIN, VAL, fold_of, leaks, split_code

MODALITY = "eeg"
WHERE = f"{MODALITY}/manifest"
WINDOWS_FILE, RECORDINGS_FILE = "windows.parquet", "recordings.parquet"
INTERVALS_FILE, SEGMENTS_FILE = "intervals.parquet", "segments.parquet"
SIGNAL_FILE = "signal.i16"
FEATURES_FILE = "features.json"
UNLABELLED = "unlabelled"
INFERENCE_ONLY = "inference_only"

ROWS = rows_schema(
    {
        "visit": pa.string(),
        "kind": pa.string(),
        "trusted": pa.string(),
        "duration_s": pa.float64(),
        "disagreement_s": pa.float64(),
        "clipped_events": pa.int32(),
        "features": pa.string(),
        "digest": pa.string(),
        "samples": pa.int64(),
        "scale": pa.float32(),
        "channel_state": pa.list_(pa.int8()),
        "clipped_share": pa.float64(),
        "flat_share": pa.float64(),
        "seizures": pa.int32(),
        "ictal_samples": pa.int64(),
        "first_window": pa.int64(),
        "windows": pa.int64(),
    }
)
"""One row per recording, sorted by key; `group` is the patient. `features` is the store-relative path of the signal,
`digest` its facet, `samples` its length at 256 Hz; windows `first_window` and the next `windows` are its own."""

RECORDINGS = pa.schema(
    {
        "recording": pa.string(),
        "patient": pa.string(),
        "split": pa.int8(),
        "samples": pa.int64(),
        "features_digest": pa.string(),
        "first_window": pa.int64(),
        "windows": pa.int64(),
    }
)


_SAID = ("visit", "kind", "trusted", "duration_s", "disagreement_s", "clipped_events")
_DESCRIBED = ("scale", "channel_state", "clipped_share", "flat_share")


@dataclass(frozen=True, eq=False)
class Recording:
    """What the manifest knows of one upload.

    Attributes:
        own_split: Split code that the source gave; -1 for none.
        labelled: Whether an annotation says what is seizure and what is not.
        features: Content of `features.json`.
        segments: [start, samples] of each, (k, 2), and `onsets_s` of each, (k,).
        intervals: Seizures in samples, (k, 2).
    """

    member: Member
    patient: str
    own_split: int
    labelled: bool
    features: Mapping[str, Any]
    segments: Segments
    onsets_s: NDArray[np.float64]
    intervals: NDArray[np.int64]
    windows: Windows

    @property
    def key(self) -> str:
        """The upload."""
        return self.member.key


def read_recording(member: Member, intervals: NDArray[np.int64], params: ManifestParams) -> Recording:
    """Return what the entries of one upload say, and its windows.

    Raises:
        ContractError: Notes and features do not fit together.
    """
    said = member.entries["notes"].metadata
    held = json.loads((member.entries["features"].directory / FEATURES_FILE).read_bytes())
    segments = segments_of(held["segments"])
    if said["samples"] != segments[:, 1].sum():
        raise ContractError(
            f"{WHERE} {member.key!r}: notes count {said['samples']} samples, features {segments[:, 1].sum()}"
        )
    return Recording(
        member=member,
        patient=said["patient"] or member.key,
        own_split=NONE if said["split"] is None else split_code(said["split"]),
        labelled=said["labelled"] != INFERENCE_ONLY,
        features=held,
        segments=segments,
        onsets_s=np.array([row[2] for row in held["segments"]], np.float64),
        intervals=intervals,
        windows=_windows(member.key, segments, intervals, params),
    )


def require_one_patient_each(recordings: Sequence[Recording]) -> None:
    """Check that no signal is there under two patients, and that no source puts a patient into two splits.

    Raises:
        BadInput: Names the recordings and the patients, or the patient and the splits.
    """
    first: dict[str, Recording] = {}
    for one in recordings:
        other = first.setdefault(one.member.entries["cache"].facets["signal"], one)
        if other.patient != one.patient:
            raise BadInput(
                f"{WHERE}: recordings {other.key!r} and {one.key!r} hold the same signal, but patients "
                f"{other.patient!r} and {one.patient!r} differ",
                "remove one of them, or name both after one patient",
            )
    torn = leaks((one.patient for one in recordings), (one.own_split for one in recordings))
    for patient, splits in torn.items():
        raise BadInput(
            f"{WHERE}: patient {patient!r} is in {' and '.join(SPLIT_NAMES[code] for code in splits)}",
            "move all recordings of one patient into one split",
        )


def make_rows(recordings: Sequence[Recording], pins: Pins, params: ManifestParams) -> tuple[pa.Table, Decision]:
    """Return the rows in the schema `ROWS` and the decision about their splits."""
    patients = [one.patient for one in recordings]
    decision = decide(MODALITY, patients, [one.own_split for one in recordings], pins, params.split)
    reasons = list(map(_reason, recordings, decision.conflicts))
    counts = np.array([len(one.windows.start) for one in recordings], np.int64)
    columns: dict[str, Any] = {
        "row_id": [one.key for one in recordings],
        "upload": [one.key for one in recordings],
        "group": decision.groups,
        "split": decision.splits,
        "fold": [fold_of(MODALITY, group, params.split) for group in decision.groups],
        "included": [not reason for reason in reasons],
        "reason": reasons,
        "weight": np.ones(len(recordings), np.float32).tolist(),
        "first_window": (np.cumsum(counts) - counts).tolist(),
        "windows": counts.tolist(),
    }
    own = [_own_columns(one) for one in recordings]
    columns |= {name: [row[name] for row in own] for name in ROWS.names if name not in columns}
    return pa.table({name: pa.array(columns[name], ROWS.field(name).type) for name in ROWS.names}, ROWS), decision


def window_table(recordings: Sequence[Recording], splits: Sequence[int]) -> pa.Table:
    """Return the windows of all recordings in order; a window's row number is its global id.

    Args:
        recordings: In the order of the rows.
        splits: Split of each recording's windows; -1 where it is left out.
    """
    counts = [len(one.windows.start) for one in recordings]
    parts = [one.windows for one in recordings]
    columns = {
        "recording": np.repeat(np.arange(len(counts), dtype=np.int32), counts),
        "start_sample": _joined([one.start for one in parts], np.int64),
        "positive_samples": _joined([one.positives for one in parts], np.int32),
        "category": _joined([one.category for one in parts], np.int8),
        "split": np.repeat(np.array(splits, np.int8), counts),
        "valid_samples": _joined([one.valid for one in parts], np.int32),
    }
    return pa.table({name: from_numpy(values) for name, values in columns.items()})


def interval_table(recordings: Sequence[Recording]) -> pa.Table:
    """Return the seizures of all recordings, half-open, in samples."""
    pairs = [one.intervals for one in recordings]
    joined = _joined(pairs, np.int64).reshape(-1, 2)
    return _numbered(pairs, {"start_sample": joined[:, 0], "stop_sample": joined[:, 1]})


def segment_table(recordings: Sequence[Recording]) -> pa.Table:
    """Return the segments of all recordings: first sample, samples, and onset on the recording's clock."""
    segments = [one.segments for one in recordings]
    joined = _joined(segments, np.int64).reshape(-1, 2)
    onsets_s = _joined([one.onsets_s for one in recordings], np.float64)
    return _numbered(segments, {"start_sample": joined[:, 0], "samples": joined[:, 1], "onset_s": onsets_s})


def recording_table(rows: pa.Table) -> pa.Table:
    """Return the short list of recordings."""
    names = ("row_id", "group", "split", "samples", "digest", "first_window", "windows")
    return pa.table([rows.column(name) for name in names], RECORDINGS)


def count_windows(windows: pa.Table) -> dict[str, Any]:
    """Return exact counts by split and category, of seizure and of all samples, and the two ratios.

    Windows of recordings that are left out count in no split.
    """
    split, category, positives, valid = (
        as_numpy(windows.column(name)) for name in ("split", "category", "positive_samples", "valid_samples")
    )
    found = {}
    for code in (TRAIN, VAL, TEST):
        chosen = split == code
        of = np.bincount(category[chosen], minlength=len(CATEGORY_NAMES)).tolist()
        counts = {"windows": int(chosen.sum()), **{name: of[kind] for kind, name in CATEGORY_NAMES.items()}}
        counts["positive_samples"] = int(positives[chosen].astype(np.int64).sum())
        counts["valid_samples"] = int(valid[chosen].astype(np.int64).sum())
        seizure = of[PARTIAL] + of[FULL]
        found[SPLIT_NAMES[code]] = {
            **counts,
            "seizure_ratio": _share(seizure, seizure + of[NO_SEIZURE]),
            "positive_sample_ratio": _share(counts["positive_samples"], counts["valid_samples"]),
        }
    return found


def channels_of(recordings: Sequence[Recording]) -> list[str]:
    """Return the names of the channels, which all recordings have in common.

    Raises:
        ContractError: They differ.
    """
    found = {tuple(one.features["channels"]) for one in recordings}
    if len(found) > 1:
        raise ContractError(f"{WHERE}: all features must have one montage, got {sorted(found)!r}")
    return list(next(iter(found), ()))


def same_signals(recordings: Sequence[Recording]) -> Iterator[tuple[str, str]]:
    """Yield pairs of recordings of one patient with the same signal."""
    first: dict[str, str] = {}
    for one in recordings:
        other = first.setdefault(one.member.entries["cache"].facets["signal"], one.key)
        if other != one.key:
            yield other, one.key


def _windows(key: str, segments: Segments, intervals: NDArray[np.int64], params: ManifestParams) -> Windows:
    try:
        return windows_of(segments, intervals, params)
    except ContractError as error:
        raise ContractError(f"{WHERE} {key!r}: {error}") from error


def _reason(one: Recording, conflict: bool) -> str:
    if not one.labelled:
        return UNLABELLED
    return SPLIT_CONFLICT if conflict else ""


def _own_columns(one: Recording) -> Mapping[str, Any]:
    said, features = one.member.entries["notes"].metadata, one.member.entries["features"]
    return {
        "entry": features.location,
        **{name: said[name] for name in _SAID},
        "features": f"{features.location}/{SIGNAL_FILE}",
        "digest": features.facets["signal"],
        "samples": int(one.segments[:, 1].sum()),
        **{name: one.features[name] for name in _DESCRIBED},
        "seizures": len(one.intervals),
        "ictal_samples": int((one.intervals[:, 1] - one.intervals[:, 0]).sum()),
    }


def _numbered(per_recording: Sequence[NDArray[Any]], columns: Mapping[str, NDArray[Any]]) -> pa.Table:
    numbers = np.repeat(np.arange(len(per_recording), dtype=np.int32), [len(one) for one in per_recording])
    return pa.table({name: from_numpy(values) for name, values in {"recording": numbers, **columns}.items()})


def _joined(arrays: Sequence[NDArray[Any]], kind: type[np.generic]) -> NDArray[Any]:
    if not arrays:
        return np.zeros(0, kind)
    return np.concatenate(arrays).astype(kind, copy=False)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
