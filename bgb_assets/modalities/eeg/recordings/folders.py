"""Which files are one recording: the file itself, those it is spread over, and its sidecars, by their names alone.

Belongs here: names of files, in a folder or of one upload. Does not belong here: opening any of them, and what the
path says about the patient (`places`). Next in the flow: `raw`.
"""

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bgb_assets.modalities.eeg.annotations.sidecars import sidecar_names
from bgb_assets.modalities.eeg.recordings.edf import SUFFIXES as EDF_SUFFIXES
from bgb_assets.modalities.eeg.recordings.other_formats import FORMATS
from bgb_assets.runtime.errors import BadInput

RECORDING_SUFFIXES = (*EDF_SUFFIXES, *FORMATS)
"""Of files that are opened; of two recordings of one name in a folder, the earlier here takes the name as its key."""

_FOLDER_SUFFIX = ".mff"
_COMPANIONS = {
    ".vhdr": (".vmrk", ".eeg", ".dat"),
    ".set": (".fdt",),
    ".lay": (".dat",),
    ".eeg": (".pnt", ".log", ".21e", ".cmt", ".cn2"),
}
"""Suffixes of the further files of a recording, in any case. An .eeg beside a .vhdr is its data."""

MAX_FILES = 64
REFERENCES = ("@recording", *(f"@recording_{i}" for i in range(1, MAX_FILES)))
"""What a stage declares to be handed a recording's files and not its sidecars."""

_UNFINISHED_SUFFIXES = (".part", ".tmp")


@dataclass(frozen=True)
class RecordingFiles:
    """One recording as relative POSIX paths.

    Attributes:
        main: The file that is opened; of an EGI recording, the folder.
        files: All files of the recording, `main` first where it is a file.
        sidecars: Source of annotations -> path.
    """

    main: str
    files: tuple[str, ...]
    sidecars: tuple[tuple[str, str], ...]

    @property
    def stem(self) -> str:
        """Name of the recording without suffix."""
        return PurePosixPath(self.main).stem


def is_ignored(name: str) -> bool:
    """Say whether a file or folder is passed over: hidden, or not yet completely written."""
    return name.startswith(".") or name == "__MACOSX" or name.lower().endswith(_UNFINISHED_SUFFIXES)


def is_folder_recording(name: str) -> bool:
    """Say whether a folder is a recording as a whole."""
    return name.lower().endswith(_FOLDER_SUFFIX)


def in_folder(files: Collection[str], folder_recordings: Sequence[tuple[str, tuple[str, ...]]]) -> list[RecordingFiles]:
    """Return the recordings of one folder, in the order of `RECORDING_SUFFIXES`, then by name.

    Args:
        files: Names of its files.
        folder_recordings: (name, files below the folder) of each sub-folder that is a recording.
    """
    present = frozenset(files)
    by_folded: dict[str, list[str]] = {}
    by_suffix: dict[str, list[str]] = {}
    for name in sorted(files):
        by_folded.setdefault(name.casefold(), []).append(name)
        by_suffix.setdefault(_suffix(name), []).append(name)
    found, claimed = [], set()
    for suffix in RECORDING_SUFFIXES:
        for name in by_suffix.get(suffix, ()):
            if name not in claimed:
                companions = _companions(name, by_folded)
                claimed |= {name, *companions}
                found.append(RecordingFiles(name, (name, *companions), _sidecars(name, present)))
    return found + [RecordingFiles(name, inside, _sidecars(name, present)) for name, inside in folder_recordings]


def only_recording(directory: Path) -> RecordingFiles:
    """Return the one recording in the directory of an upload, at whatever depth it lies.

    Raises:
        BadInput: There is none, or more than one.
    """
    found = [
        RecordingFiles(
            f"{prefix}{item.main}",
            tuple(f"{prefix}{name}" for name in item.files),
            tuple((source, f"{prefix}{name}") for source, name in item.sidecars),
        )
        for prefix, item in recordings_below(directory)
    ]
    if len(found) != 1:
        shown = ", ".join(item.main for item in found[:5]) + (", ..." if len(found) > 5 else "") or "none"
        raise BadInput(
            f"one recording is expected in an upload, got {len(found)} ({shown})",
            f"deliver one file of {', '.join(RECORDING_SUFFIXES)} with its annotations",
        )
    if len(found[0].files) > MAX_FILES:
        raise BadInput(f"{found[0].main}: {len(found[0].files)} files, at most {MAX_FILES}", "convert it to EDF")
    return found[0]


def recordings_below(directory: Path, prefix: str = "") -> Iterator[tuple[str, RecordingFiles]]:
    """Yield (path of the folder with a slash, recording) below a folder, in a fixed order; opens no file."""
    folders, files = listing(directory)
    inside = [(name, tuple(files_below(directory / name, f"{name}/"))) for name in folders if is_folder_recording(name)]
    for recording in in_folder(files, inside):
        yield prefix, recording
    for name in folders:
        if not is_folder_recording(name):
            yield from recordings_below(directory / name, f"{prefix}{name}/")


def listing(directory: Path) -> tuple[list[str], list[str]]:
    """Return the sorted names of folders and files that are not ignored; links to folders are not followed."""
    folders, files = [], []
    with os.scandir(directory) as entries:
        for entry in entries:
            if is_ignored(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            elif entry.is_file():
                files.append(entry.name)
    return sorted(folders), sorted(files)


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 - once per file of the inbox


def _companions(name: str, by_folded: dict[str, list[str]]) -> list[str]:
    suffix = _suffix(name)
    stem = name[: -len(suffix)].casefold()
    return [
        other for ending in _COMPANIONS.get(suffix, ()) for other in by_folded.get(stem + ending, ()) if other != name
    ]


def _sidecars(name: str, files: frozenset[str]) -> tuple[tuple[str, str], ...]:
    return tuple((source, sidecar) for source, sidecar in sidecar_names(name).items() if sidecar in files)


def files_below(directory: Path, prefix: str = "") -> Iterator[str]:
    """Yield the relative POSIX paths of all files below a folder that are not ignored."""
    folders, files = listing(directory)
    yield from (f"{prefix}{name}" for name in files)
    for name in folders:
        yield from files_below(directory / name, f"{prefix}{name}/")
