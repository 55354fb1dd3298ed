"""Stage cache: a recording's own integers, stored once and whole, one row of all channels after the other.

Belongs here: the samples of the channels that raw chose, at their native rate, and what turns them into microvolts.
Does not belong here: formats (`recordings`), filters and the common rate (`features`), annotations.
Next in the flow: `features`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from bgb_assets.modalities.contract import StageResult
from bgb_assets.modalities.eeg.raw import RECORDING_FILE
from bgb_assets.modalities.eeg.recordings.digests import canonical_json
from bgb_assets.modalities.eeg.recordings.folders import only_recording
from bgb_assets.modalities.eeg.recordings.opening import open_recording
from bgb_assets.modalities.eeg.recordings.recording import Recording
from bgb_assets.runtime import monitoring

HEADER_FILE = "header.json"

_NOT_SIGNAL = ("start", "repairs")
"""What a header says that no sample depends on."""


@dataclass(frozen=True)
class CacheParams:
    """Nothing to choose: the integers are the file's own."""


def run(inputs: Mapping[str, Path], params: CacheParams | None, out: Path) -> StageResult:
    """Write the samples of one recording and `header.json`.

    `signal.i16`, or `signal.i32` for more than 16 bits: little-endian, shape (samples, channels), channels as in the
    header. Channels of another rate than most lie in files of their own, `signal_1.i16` and so on, all listed in
    `groups`. Microvolts = gain * integer + offset, both float64 per channel; the sign of a reversed pair is in them.

    Raises:
        BadInput: The recording cannot be read.
    """
    summary = orjson.loads((inputs["raw"] / RECORDING_FILE).read_bytes())
    recording = _open(inputs["upload"])
    monitoring.count("decodes")
    digest = hashlib.sha256()
    groups = [
        _write_group(recording, summary, rate_hz, out / f"signal{number}{_suffix(recording)}", digest)
        for number, rate_hz in zip(("", *(f"_{i}" for i in range(1, 19))), _rates(summary), strict=False)
    ]
    header = _header(recording, summary, groups)
    (out / HEADER_FILE).write_bytes(canonical_json(header))
    digest.update(canonical_json({name: value for name, value in header.items() if name not in _NOT_SIGNAL}))
    return StageResult(facets={"signal": digest.hexdigest()}, metadata=_metadata(header, out))


def _open(directory: Path) -> Recording:
    return open_recording(directory / only_recording(directory).main)


def _suffix(recording: Recording) -> str:
    return ".i16" if recording.bits == 16 else ".i32"


def _rates(summary: Mapping[str, Any]) -> list[float]:
    """Return the rates of the channels, the recording's own first."""
    others = {channel["rate_hz"] for channel in summary["channels"]} - {summary["rate_hz"]}
    return [summary["rate_hz"], *sorted(others)]


def _write_group(
    recording: Recording, summary: Mapping[str, Any], rate_hz: float, path: Path, digest: "hashlib._Hash"
) -> dict[str, Any]:
    """Write the channels of one rate; return where they lie."""
    members = [place for place, channel in enumerate(summary["channels"]) if channel["rate_hz"] == rate_hz]
    indices = [summary["channels"][place]["index"] for place in members]
    dtype = "<i2" if recording.bits == 16 else "<i4"
    samples = 0
    with path.open("wb") as file:
        for block in recording.blocks(indices):
            content = np.ascontiguousarray(block, dtype=dtype)
            samples += len(content)
            digest.update(content.data)
            file.write(content.data)
    segments = recording.segments(rate_hz)
    return {
        "file": path.name,
        "dtype": dtype,
        "rate_hz": rate_hz,
        "samples": samples,
        "channels": members,
        "segments": [[segment.start, segment.samples, segment.onset_s] for segment in segments],
    }


def _header(recording: Recording, summary: Mapping[str, Any], groups: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    by_index = {signal.index: signal for signal in recording.signals}
    factors = [channel["sign"] * channel["unit_to_uv"] for channel in summary["channels"]]
    signals = [by_index[channel["index"]] for channel in summary["channels"]]
    return {
        "names": [channel["name"] for channel in summary["channels"]],
        "kind": summary["kind"],
        "reference": summary["reference"],
        "rate_hz": summary["rate_hz"],
        "samples": groups[0]["samples"],
        "file": groups[0]["file"],
        "dtype": groups[0]["dtype"],
        "gain": [signal.gain * factor for signal, factor in zip(signals, factors, strict=True)],
        "offset": [signal.offset * factor for signal, factor in zip(signals, factors, strict=True)],
        "segments": groups[0]["segments"],
        "groups": list(groups),
        "start": summary["start"],
        "repairs": summary["repairs"],
    }


def _metadata(header: Mapping[str, Any], out: Path) -> dict[str, Any]:
    return {
        "channels": len(header["names"]),
        "rate_hz": header["rate_hz"],
        "samples": header["samples"],
        "segments": len(header["segments"]),
        "bytes": sum((out / group["file"]).stat().st_size for group in header["groups"]),
    }
