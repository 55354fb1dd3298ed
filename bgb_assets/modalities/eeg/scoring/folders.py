"""Annotation files of two folders, paired recording by recording: any tool's output against any reference.

Belongs here: finding, pairing, and the checks before scoring. Does not belong here: grammars (`annotations`), scores
(`evaluation`). Nothing is guessed: a missing file or another duration is an error, unless the caller says otherwise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from bgb_assets.modalities.eeg.annotations.bids_events import read_events_tsv
from bgb_assets.modalities.eeg.annotations.csv_bi import read_csv
from bgb_assets.modalities.eeg.annotations.events import seizure_times
from bgb_assets.modalities.eeg.annotations.text_lines import Parsed
from bgb_assets.modalities.eeg.recordings.places import place_of
from bgb_assets.modalities.eeg.scoring.evaluation import Recording
from bgb_assets.modalities.eeg.scoring.events import Events
from bgb_assets.runtime.errors import BadInput

Missing: TypeAlias = Literal["error", "empty"]
SUFFIXES = (".csv_bi", "_events.tsv")
"""What annotation files end in, the more trusted first."""
BIDS_SUFFIX = "_eeg"
LONGEST_OVERHANG_S = 1.0
DURATION_TOLERANCE_S = 0.01
"""Durations are written with two decimals by some tools and with four by others."""


@dataclass(frozen=True)
class Pairs:
    """What two folders hold.

    Attributes:
        recordings: In the order of their names.
        missing: Recordings without a hypothesis, scored as "no event".
        unused: Hypotheses without a reference, not scored.
        warnings: Sentences a person should read.
    """

    recordings: tuple[Recording, ...]
    missing: tuple[str, ...]
    unused: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Read:
    """One file: seizures, and how long the recording is if it says so."""

    path: Path
    seizures: Events
    duration_s: float | None
    warnings: tuple[str, ...]


def pair_folders(reference: Path, hypothesis: Path, *, missing: Missing = "error") -> Pairs:
    """Read two folders of `.csv_bi` and `_events.tsv` files.

    Files belong together when their paths below the folders agree but for these endings; where the hypotheses lie in
    other folders, when their file names do, if no name occurs twice.

    Args:
        reference: Folder with what is true.
        hypothesis: Folder with what was detected.
        missing: "empty" counts a recording without a hypothesis as one without events.

    Raises:
        BadInput: No reference, a missing hypothesis, durations that differ or that nobody states, an event beyond the
            end, or a file that cannot be read.
    """
    references, found = annotation_files(reference), annotation_files(hypothesis)
    if not references:
        raise BadInput(f"{reference}: no file that ends in {' or '.join(SUFFIXES)}", "name the folder with the labels")
    partners = _partners(references, found)
    absent = tuple(name for name in references if name not in partners)
    if absent and missing == "error":
        raise BadInput(
            f"{hypothesis}: {len(absent)} of {len(references)} recordings are missing, the first is {absent[0]!r}",
            "let the detector write a file for each, or count these as 'no event' with --missing empty",
        )
    read = [_pair(name, path, partners.get(name)) for name, path in references.items()]
    unused = tuple(sorted(set(found.values()) - set(partners.values())))
    return Pairs(
        recordings=tuple(recording for recording, _ in read),
        missing=absent,
        unused=tuple(str(path.relative_to(hypothesis)) for path in unused),
        warnings=tuple(warning for _, warnings in read for warning in warnings),
    )


def annotation_files(folder: Path) -> dict[str, Path]:
    """Return name -> annotation file below a folder, sorted; of two for one recording the more trusted.

    The name is the path below the folder without the ending. BIDS ends a recording's own name in `_eeg` and that of its
    events in `_events`: `sub-1_eeg.csv_bi` and `sub-1_events.tsv` are both about `sub-1`.
    """
    files: dict[str, Path] = {}
    for suffix in SUFFIXES:
        for path in sorted(folder.rglob(f"*{suffix}")):
            name = path.relative_to(folder).as_posix().removesuffix(suffix).removesuffix(BIDS_SUFFIX)
            files.setdefault(name, path)
    return dict(sorted(files.items()))


def _partners(references: Mapping[str, Path], found: Mapping[str, Path]) -> dict[str, Path]:
    """Return name of a reference -> hypothesis file."""
    partners = {name: found[name] for name in references if name in found}
    if partners:
        return partners
    stems = [_stem(name) for name in references]
    if len(set(stems)) < len(stems):
        return {}
    by_stem: dict[str, list[Path]] = {}
    for name, path in found.items():
        by_stem.setdefault(_stem(name), []).append(path)
    if doubled := [paths for stem, paths in by_stem.items() if stem in stems and len(paths) > 1]:
        raise BadInput(
            f"{doubled[0][0]} and {doubled[0][1]} are both for one recording",
            "lay hypotheses out as the references are",
        )
    return {name: by_stem[stem][0] for name, stem in zip(references, stems, strict=True) if stem in by_stem}


def _stem(name: str) -> str:
    return name.rsplit("/", 1)[-1]


def _pair(name: str, reference: Path, hypothesis: Path | None) -> tuple[Recording, tuple[str, ...]]:
    true = _read(reference)
    detected = None if hypothesis is None else _read(hypothesis)
    duration_s = _agreed(name, [true] if detected is None else [true, detected])
    files = [one for one in (true, detected) if one is not None]
    for one in files:
        _check_ends(one, duration_s)
    recording = Recording(
        name=name,
        patient=place_of(f"{name}.edf").patient,
        duration_s=duration_s,
        reference=true.seizures,
        hypothesis=np.empty((0, 2)) if detected is None else detected.seizures,
    )
    return recording, tuple(warning for one in files for warning in one.warnings)


def _read(path: Path) -> _Read:
    suffix = next(suffix for suffix in SUFFIXES if path.name.endswith(suffix))
    parsed: Parsed = (
        read_events_tsv(path) if suffix == "_events.tsv" else read_csv(path, path.name.removesuffix(suffix))
    )
    stated = sorted({seconds for _, seconds in parsed.durations_s})
    if stated and stated[-1] - stated[0] > DURATION_TOLERANCE_S:
        raise BadInput(f"{path}: says {stated[0]:g} s and {stated[-1]:g} s", "one file is for one recording")
    return _Read(path, seizure_times(parsed.events), stated[-1] if stated else None, parsed.warnings)


def _agreed(name: str, files: Sequence[_Read]) -> float:
    """Return the duration that the files state."""
    stated = [(one.path, one.duration_s) for one in files if one.duration_s is not None]
    if not stated:
        raise BadInput(
            f"{name}: no file says how long the recording is",
            "add '# duration = S secs', or a recordingDuration column",
        )
    (first, seconds), (last, other) = stated[0], stated[-1]
    if abs(seconds - other) > DURATION_TOLERANCE_S:
        raise BadInput(
            f"{name}: {seconds:g} s in {first}, {other:g} s in {last}", "score what was detected on the same recording"
        )
    return seconds


def _check_ends(one: _Read, duration_s: float) -> None:
    if len(one.seizures) and one.seizures[-1, 1] > duration_s + LONGEST_OVERHANG_S:
        raise BadInput(
            f"{one.path}: an event ends at {one.seizures[-1, 1]:g} s, the recording at {duration_s:g} s",
            "times must be seconds from the start of the recording",
        )
