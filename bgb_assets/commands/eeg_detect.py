"""`bgb detect` and `bgb stream`: seizures in a recording, at once or while it plays.

Belongs here: checking the arguments, pacing a replay, printing. Does not belong here: detection itself
(`modalities.eeg.detection`).
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bgb_assets.commands.context import print_json
from bgb_assets.commands.models import newest_model
from bgb_assets.runtime.errors import UsageError

if TYPE_CHECKING:
    from bgb_assets.modalities.eeg.detection.findings import Findings
    from bgb_assets.modalities.eeg.detection.reading import ReadRecording
    from bgb_assets.modalities.eeg.detection.streaming import Heard, StreamingDetector
    from bgb_assets.modalities.eeg.detection.trained import TrainedDetector

CHUNK_S = 0.5
"""A replay gives so much at a time."""
CONTAINER_INPUT = Path("/data")
CONTAINER_OUTPUT = Path("/output")


def detect(
    recording: Path | None, model: Path | None, output: Path | None, *, like_stream: bool, as_json: bool
) -> None:
    """Find the seizures of a recording; print them, and write them to a folder if one is given.

    Raises:
        UsageError: There is no such recording, or no model.
    """
    if recording is None:
        raise UsageError("give a recording, or set INPUT and OUTPUT as SzCORE's containers do")
    found = _found(recording, model, like_stream=like_stream)
    _report(found, output, as_json=as_json)


def detect_in_container(container_input: str, container_output: str, model: Path | None) -> None:
    """Do as a container of SzCORE: read `/data/INPUT`, write the events as `/output/OUTPUT`, a BIDS events.tsv.

    Raises:
        UsageError: There is no such recording, or no model.
    """
    from bgb_assets.modalities.eeg.detection.export import events_tsv

    found = _found(CONTAINER_INPUT / container_input, model, like_stream=False)
    written = CONTAINER_OUTPUT / container_output
    written.parent.mkdir(parents=True, exist_ok=True)
    written.write_text(events_tsv(found), encoding="utf-8")
    typer.echo(f"{len(found.events)} seizures: {written}")


def stream(recording: Path, model: Path | None, output: Path | None, *, speed: float, as_json: bool) -> None:
    """Play a recording as if it came live; say what begins and ends when it is known.

    Raises:
        UsageError: There is no such recording, no model, or a speed below 0.
    """
    if speed < 0:
        raise UsageError(f"--speed takes 0, for as fast as can be, or a number above, got {speed!r}")
    _require(recording)
    from bgb_assets.modalities.eeg.detection.reading import read_recording
    from bgb_assets.modalities.eeg.detection.trained import load_detector

    trained = load_detector(model or newest_model("eeg"))
    with tempfile.TemporaryDirectory(prefix="bgb-stream-") as space:
        found = _played(read_recording(recording, Path(space)), trained, speed, quiet=as_json)
    _report(found, output, as_json=as_json)


def clock(seconds: float) -> str:
    """Return a time for people: `0:12:34.5`."""
    tenths = round(seconds * 10)
    return f"{tenths // 36_000}:{tenths // 600 % 60:02d}:{tenths // 10 % 60:02d}.{tenths % 10}"


def _found(recording: Path, model: Path | None, *, like_stream: bool) -> "Findings":
    _require(recording)
    model = model or newest_model("eeg")
    # Only now: it takes seconds to import.
    from bgb_assets.modalities.eeg.detection.detect import detect as find
    from bgb_assets.modalities.eeg.detection.trained import load_detector

    with tempfile.TemporaryDirectory(prefix="bgb-detect-") as space:
        return find(recording, load_detector(model), Path(space), like_stream=like_stream)


def _require(recording: Path) -> None:
    if not recording.exists():
        raise UsageError(f"{recording}: no such recording; give an EDF or BDF file, or one of another EEG format")


def _played(recording: "ReadRecording", trained: "TrainedDetector", speed: float, *, quiet: bool) -> "Findings":
    from bgb_assets.modalities.eeg.detection.detect import STREAM, made_with
    from bgb_assets.modalities.eeg.detection.findings import findings_of
    from bgb_assets.modalities.eeg.detection.live_signal import source_of_stored
    from bgb_assets.modalities.eeg.detection.reading import one_rate
    from bgb_assets.modalities.eeg.detection.streaming import StreamingDetector, joined

    source = source_of_stored(recording.stored, trained.features)
    rate_hz, names = one_rate(recording.stored).rate_hz, recording.stored.names
    detector = StreamingDetector(trained, rate_hz, names, source=source)
    heard = []
    for one in _paced(recording, detector, speed):
        heard.append(one)
        if not quiet:
            _say(one, detector)
    said = made_with(trained, STREAM, recording.warnings)
    return findings_of(recording.name, joined(heard), trained.postprocess, start=recording.start, made_with=said)


def _paced(recording: "ReadRecording", detector: "StreamingDetector", speed: float) -> Iterator["Heard"]:
    """Yield what each chunk brings to light, not before its time."""
    from bgb_assets.modalities.eeg.detection.reading import Gap, played

    begun = time.monotonic()
    for piece in played(recording.stored, CHUNK_S):
        yield detector.lose(piece.samples) if isinstance(piece, Gap) else detector.push(piece)
        if speed:
            time.sleep(max(0.0, begun + detector.now_s / speed - time.monotonic()))
    yield detector.close()


def _say(heard: "Heard", detector: "StreamingDetector") -> None:
    for event in heard.events:
        typer.echo(f"{clock(detector.now_s)}  {_sentence(event.onset_s, event.offset_s, event.confidence)}")


def _report(found: "Findings", output: Path | None, *, as_json: bool) -> None:
    from bgb_assets.modalities.eeg.detection.export import write_all

    files = {name: str(path) for name, path in write_all(found, output).items()} if output is not None else {}
    if as_json:
        print_json({**found.as_json(), "files": files})
        return
    for warning in found.made_with["warnings"]:
        typer.echo(f"warning: {warning}")
    for (onset_s, offset_s), confidence in zip(found.events.tolist(), found.confidence.tolist(), strict=True):
        typer.echo(_sentence(onset_s, offset_s, confidence))
    for onset_s, offset_s in found.not_evaluated_s.tolist():
        typer.echo(f"not evaluated: {clock(onset_s)} to {clock(offset_s)}")
    typer.echo(f"{found.name}: {len(found.events)} seizures in {clock(found.duration_s)}")
    for file in files.values():
        typer.echo(f"written: {file}")


def _sentence(onset_s: float, offset_s: float, confidence: float) -> str:
    return f"seizure {clock(onset_s)} to {clock(offset_s)}, {offset_s - onset_s:.1f} s, confidence {confidence:.2f}"
