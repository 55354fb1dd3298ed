"""Stage `features`: a recording as filtered, normalised 16-bit samples of one montage at 256 Hz.

Belongs here: what is stored, in which scale, and what is said about it. Does not belong here: the signal itself
(`signal.processing`), annotations, windows. Next in the flow: tokens and training map `signal.i16` in place.

A recording goes through in blocks, twice: filtered into single precision, which gives the statistics, and from there
to 16 bits. What is longer than half an hour or so lies in a scratch file in between: a day takes no more memory.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.contract import StageResult
from bgb_assets.modalities.eeg.electrodes import RATE_HZ
from bgb_assets.modalities.eeg.signal.montage import ABSENT, INTERPOLATED
from bgb_assets.modalities.eeg.signal.normalisation import (
    ChannelStatistics,
    FixedNormaliser,
    NoNormaliser,
    Normaliser,
    RunningNormaliser,
    quantise,
)
from bgb_assets.modalities.eeg.signal.params import FeatureParams
from bgb_assets.modalities.eeg.signal.processing import Plan, Seen, plan_processing, process
from bgb_assets.modalities.eeg.signal.quality import seconds_by_channel
from bgb_assets.modalities.eeg.signal.resampling import rate_change
from bgb_assets.modalities.eeg.signal.stored import StoredRecording, open_stored
from bgb_assets.runtime import monitoring

SIGNAL_FILE = "signal.i16"
FEATURES_FILE = "features.json"

_BLOCK = 65_536
_MOST_IN_MEMORY_BYTES = 64 << 20
_BAD_SHARE = 0.2

Scratch = NDArray[np.float32]


def run(inputs: Mapping[str, Path], params: FeatureParams, out: Path) -> StageResult:
    """Write `signal.i16`, (n, channels) time-major, and `features.json`.

    Raises:
        BadInput: Too few electrodes, no samples, or a rate that cannot hold the band.
    """
    monitoring.count("signals_filtered")
    stored = open_stored(inputs["cache"])
    plan = plan_processing(stored, params)
    with tempfile.TemporaryFile(dir=out) as file:
        scratch = _scratch(file, (len(plan.montage.names), plan.samples))
        seen = process(stored, plan, params, scratch)
        normaliser, clipped = _write(out / SIGNAL_FILE, scratch, params)
    described = _described(stored, plan, params, seen, normaliser, clipped)
    text = json.dumps(described, indent=1, sort_keys=True) + "\n"
    (out / FEATURES_FILE).write_text(text, encoding="utf-8")
    kept = ("n", "channel_state", "clipped_share", "flat_share")
    return StageResult(
        facets={"signal": _digest(out / SIGNAL_FILE, text)},
        metadata={"segments": len(plan.segments), **{name: described[name] for name in kept}},
        warnings=tuple(described["warnings"]),
    )


def _scratch(file: IO[bytes], shape: tuple[int, int]) -> Scratch:
    """Return room for the filtered signal: in memory where it is small, else in the file."""
    if shape[0] * shape[1] * np.dtype(np.float32).itemsize <= _MOST_IN_MEMORY_BYTES:
        return np.empty(shape, np.float32)
    return np.memmap(file, np.float32, "w+", shape=shape)


def _blocks(scratch: Scratch) -> Iterator[Scratch]:
    return (scratch[:, start : start + _BLOCK] for start in range(0, scratch.shape[1], _BLOCK))


def _write(path: Path, scratch: Scratch, params: FeatureParams) -> tuple[Normaliser, int]:
    """Write the scaled integers; return what scaled them and how many were clipped."""
    normaliser = _normaliser(scratch, params)
    clipped = 0
    with path.open("wb") as file:
        for block in _blocks(scratch):
            clipped += _append(file, normaliser.push(block.astype(np.float64)), params)
        clipped += _append(file, normaliser.flush(), params)
    return normaliser, clipped


def _append(file: IO[bytes], scaled: NDArray[np.float64], params: FeatureParams) -> int:
    steps, clipped = quantise(scaled, params.step)
    file.write(np.ascontiguousarray(steps.T, "<i2").data)
    return clipped


def _normaliser(scratch: Scratch, params: FeatureParams) -> Normaliser:
    channels = len(scratch)
    if params.norm == "running":
        return RunningNormaliser(channels)
    if params.norm == "none":
        return NoNormaliser(channels)
    statistics = ChannelStatistics(channels)
    for block in _blocks(scratch):
        statistics.add(block)
    return FixedNormaliser(*statistics.mean_and_std())


def _described(
    stored: StoredRecording,
    plan: Plan,
    params: FeatureParams,
    seen: Seen,
    normaliser: Normaliser,
    clipped: int,
) -> dict[str, Any]:
    montage = plan.montage
    present = sum(state != ABSENT for state in montage.states)
    return {
        "n": plan.samples,
        "rate_hz": RATE_HZ,
        "scale": params.step,
        "channels": list(montage.names),
        "channel_state": list(montage.states),
        "segments": [[segment.start, segment.samples, segment.onset_s] for segment in plan.segments],
        "mean": normaliser.mean.tolist(),
        "std": normaliser.std.tolist(),
        "band_hz": list(plan.band_hz),
        "notched_hz": list(plan.notched_hz),
        "flat_s": seconds_by_channel(montage.names, stored.names, seen.flat_s),
        "saturated_s": seconds_by_channel(montage.names, stored.names, seen.saturated_s),
        "flat_share": sum(seen.flat_s) / (len(seen.flat_s) * stored.seconds),
        "clipped_share": clipped / (plan.samples * present),
        "warnings": list(_warnings(stored, plan, params, seen)),
    }


def _warnings(stored: StoredRecording, plan: Plan, params: FeatureParams, seen: Seen) -> Iterator[str]:
    """Yield what a person should know of the signal."""
    asked_hz, used_hz = params.bandpass_hz[1], plan.band_hz[1]
    if used_hz < asked_hz:
        rates = ", ".join(f"{group.rate_hz:g}" for group in stored.groups)
        yield f"the band ends at {used_hz:g} Hz, not at {asked_hz:g} Hz: the recording has {rates} Hz"
    for group in stored.groups:
        change = rate_change(group.rate_hz)
        if change.error:
            lost = f"{change.error * plan.samples:.2f} samples in all"
            yield f"{group.rate_hz!r} Hz is resampled by {change.up}/{change.down}, off by {change.error:.1e}: {lost}"
    states = dict(zip(plan.montage.names, plan.montage.states, strict=True))
    if absent := [name for name, state in states.items() if state == ABSENT]:
        yield f"absent, zero and masked: {', '.join(absent)}"
    if filled := [name for name, state in states.items() if state == INTERPOLATED]:
        yield f"absent, filled by spherical splines: {', '.join(filled)}"
    for what, values in (("flat", seen.flat_s), ("saturated", seen.saturated_s)):
        shares = zip(stored.names, (value / stored.seconds for value in values), strict=True)
        if bad := [f"{name} {share:.0%}" for name, share in shares if share > _BAD_SHARE]:
            yield f"{what} for more than {_BAD_SHARE:.0%} of the time: {', '.join(bad)}"


def _digest(signal: Path, described: str) -> str:
    digest = hashlib.sha256(described.encode())
    with signal.open("rb") as file:
        digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
