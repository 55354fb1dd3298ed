"""Recordings as they lie in a folder: how long each is and where its seizures are, without a sample of it.

Of a recording the header is read and what was noted beside it; labels whose recording is not there count too where they
say how long it is. What stage raw would refuse is listed with its reason, and stops nothing.

Belongs here: from a folder to recordings with segments and seizures. Does not belong here: windows and sizes
(`outlook`, next in the flow).
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from math import floor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.annotations.bids_events import read_events_tsv
from bgb_assets.modalities.eeg.annotations.csv_bi import read_csv
from bgb_assets.modalities.eeg.annotations.events import seizure_times
from bgb_assets.modalities.eeg.annotations.intervals import (
    Segments,
    clip,
    segments_at_rate,
    to_samples_of_segments,
)
from bgb_assets.modalities.eeg.annotations.sidecars import TOLERANCE_S, read_annotations
from bgb_assets.modalities.eeg.electrodes import RATE_HZ
from bgb_assets.modalities.eeg.raw import RawParams
from bgb_assets.modalities.eeg.recordings.channels import choose
from bgb_assets.modalities.eeg.recordings.folders import RecordingFiles, in_folder, listing, recordings_below
from bgb_assets.modalities.eeg.recordings.opening import open_recording
from bgb_assets.modalities.eeg.recordings.places import Place, place_of
from bgb_assets.modalities.eeg.recordings.recording import duration_s
from bgb_assets.runtime.archives import archive_suffix
from bgb_assets.runtime.errors import BadInput, UsageError

LABEL_ENDINGS = {".csv_bi": "csv_bi", "_events.tsv": "events.tsv"}
"""What label files end in that say how long their recording is, the more trusted first -> name of the source."""


@dataclass(frozen=True, eq=False)
class SeenRecording:
    """What is known of one recording without its samples.

    Attributes:
        name: Path below the folder, without suffix.
        place: What the path says.
        duration_s: From its first sample to its end, gaps included.
        native_bytes: What stage cache would store; None where the recording is not there.
        labelled: See `annotations.events.Annotations`.
        trusted: The source of its labels, or None.
        segments: At 256 Hz.
        seizures: (k, 2) samples at 256 Hz.
        warnings: Sentences a person should read.
    """

    name: str
    place: Place
    duration_s: float
    native_bytes: int | None
    labelled: str
    trusted: str | None
    segments: Segments
    seizures: NDArray[np.int64]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Seen:
    """What lies in a folder.

    Attributes:
        recordings: Sorted by name, as their uploads' keys are.
        refused: Name -> why it would be no use, and what to do.
        archives: Paths of archives, which are not looked into.
    """

    recordings: tuple[SeenRecording, ...]
    refused: Mapping[str, BadInput]
    archives: tuple[str, ...]


def look(path: Path, params: RawParams) -> Seen:
    """Return what lies below a folder, or the one recording that a file is.

    Raises:
        UsageError: There is no such path, or nothing in it that is a recording or says how long one is.
        ConfigError: A param that means nothing, or a format whose reader is not installed.
    """
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder")
    root = path if path.is_dir() else path.parent
    found = dict(_recordings(root, None if path.is_dir() else path.name))
    taken = {name for one in found.values() for _, name in one.sidecars}
    labels = dict(_labels(root, taken)) if path.is_dir() else {}
    archives = tuple(name for name in _files(root) if archive_suffix(name)) if path.is_dir() else ()
    recordings, refused = [], {}
    for name in sorted({*found, *labels}):
        try:
            one = found.get(name)
            recordings.append(
                _from_labels(root, name, labels[name], params) if one is None else _from_header(root, name, one, params)
            )
        except BadInput as error:
            refused[name] = error
    if not recordings and not refused and not archives:
        raise UsageError(f"{path}: no recording, and no file that ends in {' or '.join(LABEL_ENDINGS)}")
    return Seen(tuple(recordings), refused, archives)


def _recordings(root: Path, only: str | None) -> Iterator[tuple[str, RecordingFiles]]:
    """Yield name -> recording, its paths relative to the root; of two with one name, the later keeps its suffix."""
    if only is not None:
        found = [("", one) for one in in_folder(listing(root)[1], []) if one.main == only]
    else:
        found = list(recordings_below(root))
    used: set[str] = set()
    for prefix, one in found:
        name = f"{prefix}{one.stem}"
        name = f"{prefix}{one.main}" if name.casefold() in used else name
        used.add(name.casefold())
        files = tuple(f"{prefix}{file}" for file in one.files)
        sidecars = tuple((source, f"{prefix}{file}") for source, file in one.sidecars)
        yield name, RecordingFiles(f"{prefix}{one.main}", files, sidecars)


def _labels(root: Path, taken: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield name of a recording that is not there -> its label file."""
    files = [name for name in _files(root) if name not in taken]
    for ending in reversed(LABEL_ENDINGS):  # the more trusted last: it replaces the other
        # In BIDS `X_eeg.csv_bi` and `X_events.tsv` are of one recording.
        yield from ((name.removesuffix(ending).removesuffix("_eeg"), name) for name in files if name.endswith(ending))


def _files(root: Path, prefix: str = "") -> Iterator[str]:
    folders, files = listing(root / prefix)
    yield from (f"{prefix}{name}" for name in files)
    for name in folders:
        yield from _files(root, f"{prefix}{name}/")


def _from_header(root: Path, name: str, files: RecordingFiles, params: RawParams) -> SeenRecording:
    recording = open_recording(root / files.main)
    choice = choose(recording.signals)
    native = recording.segments(choice.rate_hz)
    seconds = duration_s(native, choice.rate_hz)
    # Texts inside a file lie between its samples: they are looked for where nothing lies beside it that labels it.
    labelled = any(source != "summary" for source, _ in files.sidecars)
    texts = () if labelled else recording.texts().items
    annotations = read_annotations(root, files.main, seconds, params, texts)
    segments = segments_at_rate([(one.start, one.samples, one.onset_s) for one in native], choice.rate_hz)
    rates = sum(channel.signal.rate_hz for channel in choice.channels) / choice.rate_hz
    samples = sum(one.samples for one in native)
    return SeenRecording(
        name=name,
        place=place_of(files.main),
        duration_s=seconds,
        native_bytes=round(samples * rates) * (2 if recording.bits <= 16 else 4),
        labelled=annotations.labelled,
        trusted=annotations.trusted,
        segments=segments,
        seizures=to_samples_of_segments(annotations.seizures_s(), segments),
        warnings=(*recording.repairs, *choice.warnings, *annotations.warnings),
    )


def _from_labels(root: Path, name: str, file: str, params: RawParams) -> SeenRecording:
    """Return what a label file says of its recording, which is taken to have no gap."""
    path = root / file
    ending = next(ending for ending in LABEL_ENDINGS if file.endswith(ending))
    if ending == ".csv_bi":
        parsed = read_csv(path, path.name.removesuffix(ending), params.extra_labels)
    else:
        parsed = read_events_tsv(path, params.extra_labels)
    stated = sorted({seconds for _, seconds in parsed.durations_s})
    if not stated or stated[-1] - stated[0] > TOLERANCE_S or stated[0] <= 0:
        told = ", ".join(f"{seconds:g} s" for seconds in stated) or "nothing"
        raise BadInput(
            f"{file}: says {told} about the length of its recording, which is not there",
            "add the recording, '# duration = S secs' or a column recordingDuration",
        )
    seconds = stated[0]
    whole = (np.zeros(1, np.int64), np.array([floor(seconds * RATE_HZ)], np.int64), np.zeros(1), np.array([seconds]))
    segments = Segments(*whole)
    return SeenRecording(
        name=name,
        place=place_of(f"{name}.edf"),
        duration_s=seconds,
        native_bytes=None,
        labelled="yes",
        trusted=LABEL_ENDINGS[ending],
        segments=segments,
        seizures=to_samples_of_segments(clip(seizure_times(parsed.events), 0.0, seconds), segments),
        warnings=parsed.warnings,
    )
