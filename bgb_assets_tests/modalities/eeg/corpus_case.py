"""Small corpora of recordings with real notes, manifest and tokens: what tests and benchmarks of windows start from.

The notes go through their own stage; features are written in their format, random samples, where a test reads them.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bgb_assets.modalities.contract import EntryView, FanIn, Member, StageResult
from bgb_assets.modalities.eeg import manifest, notes, tokens
from bgb_assets.modalities.eeg.annotations.events import Annotations, Event, Source
from bgb_assets.modalities.eeg.electrodes import CANONICAL, RATE_HZ
from bgb_assets.modalities.eeg.manifest_params import ManifestParams
from bgb_assets.modalities.eeg.windows.index import WindowIndex
from bgb_assets.modalities.eeg.windows.note_files import compacted_schemas
from bgb_assets.storage.digests import sha256_bytes, sha256_json
from bgb_assets.storage.tables import conform, write_part

CHANNELS = len(CANONICAL)
SCALE = 10 / 32767


@dataclass
class Corpus:
    """A store of recordings at 256 Hz.

    Attributes:
        members: Key -> the upload with its entries.
        parts_made: Names of the table files that the last manifest had to write.
    """

    root: Path
    members: dict[str, Member] = field(default_factory=dict)
    parts_made: list[str] = field(default_factory=list)

    def add(
        self,
        key: str,
        segments: Sequence[int],
        seizures_s: Sequence[tuple[float, float]] = (),
        *,
        patient: str | None = None,
        split: str | None = None,
        labelled: str = "yes",
        written: bool = True,
        like: str | None = None,
    ) -> np.ndarray:
        """Register a recording; return its signal, (samples, 19).

        Args:
            key: Of the upload.
            segments: Samples of each; between two of them lies a gap of 100 s.
            seizures_s: On the recording's clock.
            patient: By default the key up to its first `_`.
            split: As the source gave it.
            labelled: As stage raw says it.
            written: Whether the signal is written and not only described.
            like: The recording with the same signal.
        """
        patient = key.partition("_")[0] if patient is None else patient
        onsets_s = [number * 100 + sum(segments[:number]) / RATE_HZ for number in range(len(segments))]
        starts = [sum(segments[:number]) for number in range(len(segments))]
        listed = [list(row) for row in zip(starts, segments, onsets_s, strict=True)]
        meta = {"patient": patient, "visit": None, "split": split}
        random = np.random.default_rng(int(sha256_bytes((like or key).encode())[:8], 16))
        signal = random.integers(-2000, 2000, (sum(segments) if written else 0, CHANNELS), np.int16)
        entries = {
            "cache": self._entry("cache", key, lambda _: StageResult({"signal": sha256_json(["cache", like or key])})),
            "features": self._entry("features", key, lambda out: _features(out, listed, signal, written)),
            "notes": self._entry("notes", key, lambda out: _notes(out, listed, seizures_s, meta, labelled)),
        }
        self.members[key] = Member(key, {}, entries)
        return signal

    def fan_in(self) -> FanIn:
        """Return what stage manifest is handed, without parts."""
        members = [self.members[key] for key in sorted(self.members)]
        return FanIn(members, {}, {}, {}, self.root / "pins" / "eeg", self.root)

    def manifest(self, params: ManifestParams | None = None) -> tuple[Path, StageResult]:
        """Make the table files that are missing, then the manifest; return its directory and result."""
        params, fan_in = params or ManifestParams(), self.fan_in()
        self.parts_made, parts = [], {}
        for name, plan in manifest.plan(fan_in, params).items():
            identity = sha256_json({"facets": dict(plan.facets), "params": dict(plan.params)})
            location = f"manifest/eeg/{identity[:2]}/{identity}"
            if not (self.root / location).exists():
                (self.root / location).mkdir(parents=True)
                self.parts_made.append(name)
                own = dataclasses.replace(fan_in, members=[self.members[key] for key in plan.members])
                manifest.run_part(name, own, params, self.root / location)
            parts[name] = EntryView(identity, location, {}, {}, self.root / location)
        out = self.root / "manifest/eeg/00" / hashlib.sha256(repr((params, fan_in)).encode()).hexdigest()
        out.mkdir(parents=True, exist_ok=True)
        return out, manifest.run(dataclasses.replace(fan_in, parts=parts), params, out)

    def tokens(self, params: ManifestParams | None = None) -> tuple[Path, StageResult]:
        """Make the manifest and the tokens; return their directory and result."""
        directory, _ = self.manifest(params)
        out = self.root / "tokens/eeg/00" / directory.name
        out.mkdir(parents=True, exist_ok=True)
        return out, tokens.run(dataclasses.replace(self.fan_in(), inputs={"manifest": directory}), None, out)

    def index(self, params: ManifestParams | None = None) -> WindowIndex:
        """Return the windows."""
        return WindowIndex(self.root, self.tokens(params)[0])

    def _entry(self, stage: str, key: str, run: Any) -> EntryView:
        identity = sha256_json([stage, key])
        location = f"{stage}/eeg/{identity[:2]}/{identity}"
        directory = self.root / location
        directory.mkdir(parents=True)
        result: StageResult = run(directory)
        return EntryView(identity, location, result.facets, result.metadata, directory)


def write_many(root: Path, count: int, samples: int, params: ManifestParams, *, written: bool = True) -> Path:
    """Make the tokens of many equal recordings, one seizure in every tenth, without their notes; return the entry.

    Recording r is `p<r>_1`; its seizure takes the middle fifth. Values of the signals are those of one of them.
    """
    keys = [f"p{number:05d}_1" for number in range(count)]
    members, seizure = [], pa.table({"start_sample": [samples * 2 // 5], "stop_sample": [samples * 3 // 5]})
    signal = np.random.default_rng(1).integers(-2000, 2000, (samples if written else 0, CHANNELS), np.int16)
    segments = [[0, samples, 0.0]]
    said = {"visit": None, "split": "train", "labelled": "yes", "duration_s": samples / RATE_HZ}
    said |= {"kind": "referential", "trusted": "csv_bi", "clipped_events": 0}
    for key in keys:
        place = root / f"features/eeg/{key}"
        place.mkdir(parents=True)
        facets = _features(place, segments, signal, written).facets
        metadata = {**said, "patient": key, "samples": samples, "disagreement_s": None}
        cache = EntryView(key, "", {"signal": sha256_json(key)}, {}, place)
        features = EntryView(key, f"features/eeg/{key}", facets, {}, place)
        members.append(
            Member(key, {}, {"cache": cache, "features": features, "notes": EntryView(key, "", {}, metadata, place)})
        )
    part = root / "manifest/eeg/intervals"
    part.mkdir(parents=True)
    schema = compacted_schemas()["intervals"]
    rows = ((key, conform(seizure, schema, {"recording": key})) for key in keys[::10])
    write_part(part, "intervals", schema, rows)
    parts = {"intervals_0000": EntryView("intervals", "manifest/eeg/intervals", {}, {}, part)}
    fan_in = FanIn(members, {}, {}, parts, root / "pins", root)
    made, out = root / "manifest/eeg/made", root / "tokens/eeg/made"
    made.mkdir(parents=True)
    out.mkdir(parents=True)
    manifest.run(fan_in, params, made)
    tokens.run(dataclasses.replace(fan_in, inputs={"manifest": made}), None, out)
    return out


def _features(out: Path, segments: Sequence[Sequence[float]], signal: np.ndarray, written: bool) -> StageResult:
    states = [0] * CHANNELS
    # Filled in, derived from pairs, absent: only the last is masked.
    states[1:4] = 1, 2, 3
    described = {"scale": SCALE, "channels": list(CANONICAL), "channel_state": states, "segments": segments}
    described |= {"clipped_share": 0.0, "flat_share": 0.0, "n": sum(int(row[1]) for row in segments)}
    (out / "features.json").write_text(json.dumps(described))
    if written:
        (out / "signal.i16").write_bytes(signal.astype("<i2").tobytes())
    return StageResult({"signal": sha256_json([segments, sha256_bytes(signal.tobytes())])})


def _notes(
    out: Path,
    segments: Sequence[Sequence[float]],
    seizures_s: Sequence[tuple[float, float]],
    meta: Mapping[str, Any],
    labelled: str,
) -> StageResult:
    raw = out.parent / f"{out.name}.raw"
    raw.mkdir()
    events = tuple(Event(start, stop, "sz", 1, True, (), None, line) for line, (start, stop) in enumerate(seizures_s))
    end_s = segments[-1][2] + segments[-1][1] / RATE_HZ if segments else 0.0
    sources = (Source("csv_bi", events),) if labelled == "yes" else ()
    trusted = "csv_bi" if labelled == "yes" else None
    annotations = Annotations(sources, trusted, end_s, None, labelled)
    files = {
        "recording.json": {"kind": "referential", "rate_hz": float(RATE_HZ), "segments": segments},
        "annotations.json": annotations.as_json(),
        "meta.json": meta,
    }
    for name, content in files.items():
        (raw / name).write_text(json.dumps(content))
    return notes.run({"raw": raw}, None, out)
