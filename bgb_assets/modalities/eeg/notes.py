"""Stage notes: what was noted about one recording as Parquet rows, and its seizures as samples of the signal.

Belongs here: the stage and the rows. Does not belong here: reading annotation files (`annotations`, called by stage
raw), the schemas (`annotations.schemas`). No signal is opened: the number of samples follows from the timeline.
Next in the flow: `manifest` makes windows of it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from bgb_assets.modalities.contract import StageResult
from bgb_assets.modalities.eeg.annotations.events import Annotations, Event, annotations_from_json
from bgb_assets.modalities.eeg.annotations.intervals import (
    Segments,
    seconds_in_segments,
    segments_at_rate,
    to_samples_of_segments,
)

INFERENCE_ONLY = "inference_only"

Rows = list[dict[str, Any]]


def __getattr__(name: str) -> Any:
    """Return `TABLES`, the schemas, imported when asked for: describing the modality imports no pyarrow."""
    if name == "TABLES":
        from bgb_assets.modalities.eeg.annotations.schemas import TABLES

        return TABLES
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@dataclass(frozen=True)
class NotesParams:
    """Nothing to choose: the tables hold everything that was noted."""


def run(inputs: Mapping[str, Path], params: NotesParams | None, out: Path) -> StageResult:
    """Write `events`, `intervals`, `segments` and `recording`, each as `<table>.parquet` where it has rows.

    `inputs["raw"]` holds the JSON files of stage raw. The facet `notes` digests the rows, so that another Parquet
    writer changes nothing.
    """
    from bgb_assets.modalities.eeg.annotations.schemas import write_tables

    raw = inputs["raw"]
    recording, meta = _read(raw / "recording.json"), _read(raw / "meta.json")
    annotations = annotations_from_json(_read(raw / "annotations.json"))
    segments = segments_at_rate(recording["segments"], recording["rate_hz"])
    tables = {
        "events": _event_rows(annotations),
        "intervals": _interval_rows(to_samples_of_segments(annotations.seizures_s(), segments)),
        "segments": _segment_rows(segments),
        "recording": [_recording_row(annotations, segments, recording["kind"], meta)],
    }
    write_tables(tables, out)
    digest = hashlib.sha256(orjson.dumps(tables, option=orjson.OPT_SORT_KEYS)).hexdigest()
    metadata = tables["recording"][0] | {"events": len(tables["events"]), "segments": len(tables["segments"])}
    return StageResult(facets={"notes": digest}, metadata=metadata)


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = orjson.loads(path.read_bytes())
    return content


def _event_rows(annotations: Annotations) -> Rows:
    """Return all events, by source as trusted, then by time, then by line; numbered in this order."""
    listed = [
        (source.source, event)
        for source in annotations.sources
        for event in sorted(source.events, key=lambda event: (event.onset_s, event.offset_s, event.line))
    ]
    return [{"event": number, **_event_row(source, event)} for number, (source, event) in enumerate(listed)]


def _event_row(source: str, event: Event) -> dict[str, Any]:
    return {
        "onset_s": event.onset_s,
        "offset_s": event.offset_s,
        "label": event.label_id,
        "label_text": event.label,
        "is_seizure": event.is_seizure,
        "channels": list(event.channels),
        "confidence": event.confidence,
        "source": source,
        "line": event.line,
    }


def _interval_rows(intervals: NDArray[np.int64]) -> Rows:
    return [{"start_sample": start, "stop_sample": stop} for start, stop in intervals.tolist()]


def _segment_rows(segments: Segments) -> Rows:
    columns = (segments.start_sample.tolist(), segments.samples.tolist(), segments.onset_s.tolist())
    return [
        {"start_sample": start, "samples": samples, "onset_s": onset_s}
        for start, samples, onset_s in zip(*columns, strict=True)
    ]


def _recording_row(annotations: Annotations, segments: Segments, kind: str, meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of the recording; how much seizure there is stays null where nobody looked for any."""
    seizures_s = annotations.seizures_s()
    known = annotations.labelled != INFERENCE_ONLY
    return {
        "patient": meta["patient"],
        "visit": meta["visit"],
        "split": meta["split"],
        "kind": kind,
        "labelled": annotations.labelled,
        "trusted": annotations.trusted,
        "duration_s": annotations.duration_s,
        "samples": int(segments.samples.sum()),
        "seizures": len(seizures_s) if known else None,
        "ictal_s": seconds_in_segments(seizures_s, segments) if known else None,
        "clipped_events": _clipped(annotations.trusted_events, annotations.duration_s),
        "disagreement_s": annotations.disagreement_s,
    }


def _clipped(events: Sequence[Event], duration_s: float) -> int:
    """Return how many seizures reach beyond the recording."""
    return sum(event.is_seizure and (event.onset_s < 0 or event.offset_s > duration_s) for event in events)
