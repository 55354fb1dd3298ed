"""From a recording file to what a trained detector finds in it: whole, or as a stream would have heard it.

Belongs here: the order of the steps. Does not belong here: each of them (`reading`, stage `features`, `inference`,
`live_windows`, `findings`); a stream that is still coming (`streaming`). Next in the flow: `export`.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from bgb_assets.modalities.eeg import features
from bgb_assets.modalities.eeg.detection.findings import Findings, Timeline, findings_of
from bgb_assets.modalities.eeg.detection.inference import WindowNetwork, timeline
from bgb_assets.modalities.eeg.detection.live_signal import LiveSignal, source_of_stored
from bgb_assets.modalities.eeg.detection.live_windows import heard_afterwards
from bgb_assets.modalities.eeg.detection.reading import ReadRecording, one_rate, read_recording
from bgb_assets.modalities.eeg.detection.trained import TrainedDetector
from bgb_assets.modalities.eeg.signal.montage import ABSENT

WINDOWS, LIKE_STREAM, STREAM = "windows", "like stream", "stream"
"""How a timeline came about."""


def detect(path: Path, trained: TrainedDetector, space: Path, *, like_stream: bool = False) -> Findings:
    """Find seizures in a recording file.

    Args:
        path: The recording.
        trained: The detector.
        space: An empty directory to work in.
        like_stream: Hear it as `StreamingDetector` would have: nothing looks ahead by more than six seconds.

    Raises:
        BadInput: The recording cannot be used.
    """
    recording = read_recording(path, space)
    warnings = recording.warnings
    if like_stream:
        lines = list(_live_lines(recording, trained))
    else:
        lines, more = _lines(recording, trained, space / "features")
        warnings += more
    said = made_with(trained, LIKE_STREAM if like_stream else WINDOWS, warnings)
    return findings_of(recording.name, lines, trained.postprocess, start=recording.start, made_with=said)


def made_with(trained: TrainedDetector, mode: str, warnings: tuple[str, ...]) -> dict[str, Any]:
    """Return what is said beside events: detector, mode, thresholds, and what a person should know."""
    return {
        "model": trained.said_as,
        "mode": mode,
        "postprocess": asdict(trained.postprocess),
        "warnings": list(warnings),
    }


def _lines(recording: ReadRecording, trained: TrainedDetector, out: Path) -> tuple[list[Timeline], tuple[str, ...]]:
    """Return the timelines of the segments from windows that overlap, and the warnings of stage features."""
    out.mkdir()
    result = features.run({"cache": recording.cache}, trained.features, out)
    described = json.loads((out / features.FEATURES_FILE).read_bytes())
    states = np.asarray(described["channel_state"])
    shape = (described["n"], len(states))
    signal = np.memmap(out / features.SIGNAL_FILE, "<i2", "r", shape=shape)
    network = WindowNetwork(trained.network, described["scale"], states != ABSENT)
    group = recording.stored.main
    lines = [
        Timeline(onset_s, stretch.samples / group.rate_hz, timeline(network, signal[start : start + samples]))
        for (start, samples, onset_s), stretch in zip(described["segments"], group.stretches, strict=True)
        if samples
    ]
    return lines, result.warnings


def _live_lines(recording: ReadRecording, trained: TrainedDetector) -> Iterator[Timeline]:
    """Yield the timelines of the segments, each heard as a stream of its own."""
    group = one_rate(recording.stored)
    source = source_of_stored(recording.stored, trained.features)
    network = WindowNetwork(trained.network, trained.features.step, source.mask)
    for stretch in group.stretches:
        live = LiveSignal(source, trained.features)
        signal = [live.push(block.astype(np.float64) * group.gain_uv) for block in group.blocks(stretch)]
        heard = heard_afterwards(network, np.concatenate([*signal, live.flush()]))
        yield Timeline(stretch.onset_s, stretch.samples / group.rate_hz, heard)
