"""A recording file as stage `cache` would store it, in a space of its own: no store, no annotations.

Belongs here: what stages raw and cache do for one file, and playing it as a stream. Does not belong here: formats
(`recordings`), networks (`detect`, `streaming`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bgb_assets.modalities.eeg import cache, raw
from bgb_assets.modalities.eeg.detection.live_signal import Microvolts
from bgb_assets.modalities.eeg.recordings.channels import choose
from bgb_assets.modalities.eeg.recordings.digests import canonical_json
from bgb_assets.modalities.eeg.recordings.folders import RECORDING_SUFFIXES, files_below, in_folder, is_folder_recording
from bgb_assets.modalities.eeg.recordings.opening import open_recording
from bgb_assets.modalities.eeg.signal.stored import Group, StoredRecording, open_stored
from bgb_assets.runtime.errors import BadInput


@dataclass(frozen=True, eq=False)
class ReadRecording:
    """One recording file, read.

    Attributes:
        name: Without folder and suffix.
        start: ISO 8601 time of its first sample, or None.
        stored: Its samples.
        cache: Directory of the files of stage cache.
        warnings: Sentences a person should read.
    """

    name: str
    start: str | None
    stored: StoredRecording
    cache: Path
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Gap:
    """Native samples that were not recorded."""

    samples: int


def read_recording(path: Path, space: Path) -> ReadRecording:
    """Read a recording file, whatever lies beside it: no annotation is looked at.

    Args:
        path: The file, or an EGI folder.
        space: An empty directory to work in, which must outlive the result.

    Raises:
        BadInput: It is no recording, or one that cannot be used.
    """
    directories = {name: space / name for name in ("upload", "raw", "cache")}
    for directory in directories.values():
        directory.mkdir()
    _link(path, directories["upload"])
    opened = open_recording(directories["upload"] / path.name)
    choice = choose(opened.signals)
    summary = raw.recording_json(opened, choice)
    (directories["raw"] / raw.RECORDING_FILE).write_bytes(canonical_json(summary))
    cache.run(directories, None, directories["cache"])
    return ReadRecording(
        name=path.stem,
        start=summary["start"],
        stored=open_stored(directories["cache"]),
        cache=directories["cache"],
        warnings=(*summary["repairs"], *choice.warnings),
    )


def one_rate(stored: StoredRecording) -> Group:
    """Return all channels of a recording.

    Raises:
        BadInput: They have several rates.
    """
    if len(stored.groups) > 1:
        rates = ", ".join(f"{group.rate_hz:g}" for group in stored.groups)
        raise BadInput(f"channels of {rates} Hz, a stream has one rate", "detect without --like-stream")
    return stored.main


def played(stored: StoredRecording, chunk_s: float) -> Iterator[Microvolts | Gap]:
    """Yield a recording as a stream: chunks of (channels, samples), and the gaps between its segments."""
    group = one_rate(stored)
    length, now = max(1, round(chunk_s * group.rate_hz)), 0
    for stretch in group.stretches:
        missing = round(stretch.onset_s * group.rate_hz) - now
        if missing > 0:
            yield Gap(missing)
        now += max(missing, 0) + stretch.samples
        for start in range(stretch.start, stretch.start + stretch.samples, length):
            stop = min(start + length, stretch.start + stretch.samples)
            yield group.integers[start:stop].T.astype(np.float64) * group.gain_uv


def _link(path: Path, upload: Path) -> None:
    """Put the recording's own files into a directory, as links."""
    path = path.absolute()
    if is_folder_recording(path.name) and path.is_dir():
        for name in files_below(path):
            (upload / path.name / name).parent.mkdir(parents=True, exist_ok=True)
            (upload / path.name / name).symlink_to(path / name)
        return
    beside = [other.name for other in path.parent.iterdir() if other.stem == path.stem and other.is_file()]
    for recording in in_folder(beside, []):
        if recording.main == path.name:
            for name in recording.files:
                (upload / name).symlink_to(path.parent / name)
            return
    raise BadInput(f"{path.name} is no recording", f"give a file of {', '.join(RECORDING_SUFFIXES)}")
