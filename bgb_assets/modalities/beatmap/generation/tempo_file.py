"""Reads the tempo map that a person gives for a song: a list of changes, a list of beats in seconds, or a map.

    JSON   [{"beat": 0, "bpm": 120}, {"beat": 32, "bpm": 90.5}]
           {"offset_s": 0.35, "changes": [...]}        beat 0 lies 0.35 s into the audio
    CSV    beat,bpm       a change per row, the first at beat 0, beat 0 at the audio's first sample
           seconds,beat   a beat that was heard per row, at least two; the tempo between and beyond is steady
    a map  its folder or zip, its AudioData.dat or its BPMInfo.dat

Belongs here: these forms and what is wrong with a file. Does not belong here: the tempo rules (`tempo`), where silence
goes so that beat 0 is in the audio (`hearing`, next in the flow).
"""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from bgb_assets.modalities.beatmap.formats.audio_data import parse_audio_data
from bgb_assets.modalities.beatmap.formats.difficulty import Difficulty, read_audio_data, read_difficulty
from bgb_assets.modalities.beatmap.formats.folder import open_folder
from bgb_assets.modalities.beatmap.formats.info import parse_info
from bgb_assets.modalities.beatmap.formats.opening import opened_map
from bgb_assets.modalities.beatmap.formats.reading import read_json
from bgb_assets.modalities.beatmap.formats.tempo import TempoMap, tempo_from_events, tempo_from_regions
from bgb_assets.modalities.beatmap.writing.retiming import same_tempo
from bgb_assets.runtime.archives import archive_suffix
from bgb_assets.runtime.errors import BadInput

MIN_BPM, MAX_BPM = 30.0, 500.0

_FORMS = "give rows of beat,bpm or of seconds,beat as CSV, a JSON list of {beat, bpm}, or a map"


@dataclass(frozen=True)
class PlacedTempo:
    """A tempo map on an audio file.

    Attributes:
        tempo: Its pieces join; beat 0 is at its second 0.
        offset_s: Where that second lies in the audio; below 0 it is before the first sample.
    """

    tempo: TempoMap
    offset_s: float = 0.0


def steady(bpm: float) -> TempoMap:
    """Return the tempo map of one tempo."""
    return tempo_from_events(bpm, [], []).tempo


def read_tempo_file(path: Path) -> PlacedTempo:
    """Read a tempo map in any of the forms above.

    Raises:
        BadInput: It is of none of them, or says something impossible; the message names the row.
    """
    if path.is_dir() or archive_suffix(path.name) is not None:
        return PlacedTempo(_of_map(path))
    if not path.is_file():
        raise BadInput(f"{path}: no such file", "correct --tempo-map")
    if path.suffix.lower() == ".csv":
        return _of_csv(path)
    if path.suffix.lower() in (".json", ".dat"):
        return _of_json(read_json(path, path.name), path.name)
    raise BadInput(f"{path.name}: is neither .csv, .json nor .dat, and no map", _FORMS)


def _of_json(document: Any, label: str) -> PlacedTempo:
    if isinstance(document, list):
        return PlacedTempo(_of_changes([_change(row, f"{label}: row {n}") for n, row in enumerate(document)], label))
    if not isinstance(document, Mapping):
        raise BadInput(f"{label}: expected a list or an object, got {type(document).__name__}", _FORMS)
    if "changes" not in document:
        return PlacedTempo(_of_audio_data(document, label))
    if unknown := sorted(set(document) - {"changes", "offset_s"}):
        raise BadInput(f"{label}: unknown fields {unknown!r}", "keep offset_s and changes only")
    placed = _of_json(document["changes"], f"{label}: changes")
    return PlacedTempo(placed.tempo, _number(document.get("offset_s", 0.0), f"{label}: offset_s"))


def _change(row: Any, label: str) -> tuple[float, float]:
    if not isinstance(row, Mapping) or set(row) != {"beat", "bpm"}:
        raise BadInput(f"{label}: expected {{beat, bpm}}, got {row!r}", _FORMS)
    return _number(row["beat"], f"{label}: beat"), _number(row["bpm"], f"{label}: bpm")


def _of_csv(path: Path) -> PlacedTempo:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = [[field.strip() for field in row] for row in csv.reader(file) if any(map(str.strip, row))]
    names = tuple(rows[0]) if rows else ()
    if names not in (("beat", "bpm"), ("seconds", "beat")):
        raise BadInput(f"{path.name}: the first row must be beat,bpm or seconds,beat, got {','.join(names)!r}", _FORMS)
    pairs = [_pair(row, f"{path.name}: row {number}") for number, row in enumerate(rows[1:], start=2)]
    if names == ("beat", "bpm"):
        return PlacedTempo(_of_changes(pairs, path.name))
    return _of_heard_beats(pairs, path.name)


def _pair(row: Sequence[str], label: str) -> tuple[float, float]:
    if len(row) != 2:
        raise BadInput(f"{label}: expected two numbers, got {','.join(row)!r}", "correct the row")
    return _number(row[0], label), _number(row[1], label)


def _of_changes(pairs: Sequence[tuple[float, float]], label: str) -> TempoMap:
    """Return the tempo map of (beat, BPM) pairs."""
    if not pairs or pairs[0][0] != 0.0:
        raise BadInput(f"{label}: the first change must be at beat 0", "say the tempo at beat 0")
    _check_rising([beat for beat, _ in pairs], "beats", label)
    bpms = [_checked_bpm(bpm, label) for _, bpm in pairs]
    return tempo_from_events(bpms[0], [beat for beat, _ in pairs[1:]], bpms[1:]).tempo


def _of_heard_beats(pairs: Sequence[tuple[float, float]], label: str) -> PlacedTempo:
    """Return the tempo map of (seconds, beat) pairs; the first piece reaches back to beat 0."""
    if len(pairs) < 2:
        raise BadInput(f"{label}: needs at least two beats, got {len(pairs)}", "add a beat")
    seconds, beats = np.array(pairs, np.float64).T
    _check_rising(seconds.tolist(), "seconds", label)
    _check_rising(beats.tolist(), "beats", label)
    if beats[0] < 0.0:
        raise BadInput(f"{label}: beats must not be negative, got {beats[0]:g}", "count from beat 0")
    bpms = 60.0 * np.diff(beats) / np.diff(seconds)
    for bpm in bpms.tolist():
        _checked_bpm(bpm, label)
    tempo = tempo_from_events(float(bpms[0]), beats[1:-1], bpms[1:]).tempo
    return PlacedTempo(tempo, float(seconds[0] - beats[0] * 60.0 / bpms[0]))


def _of_audio_data(document: Mapping[str, Any], label: str) -> TempoMap:
    data = parse_audio_data(document, label)
    if not len(data.regions):
        raise BadInput(f"{label}: holds no tempo region", _FORMS)
    return _joined(tempo_from_regions(MIN_BPM, data.regions, data.frequency_hz).tempo, label)


def _of_map(path: Path) -> TempoMap:
    """Return the tempo map that all readable difficulties of a map share."""
    with opened_map(path) as directory:
        folder = open_folder(directory)
        song = parse_info(read_json(folder.path(folder.info), folder.info), folder.info)
        audio_data = read_audio_data(folder, song)
        read = [read_difficulty(folder, song, info, audio_data) for info in song.difficulties]
    tempi = [one.tempo for one in read if isinstance(one, Difficulty)]
    if not tempi:
        raise BadInput(f"{path.name}: none of its difficulties can be read", "give another map")
    if not all(same_tempo(tempi[0], tempo) for tempo in tempi):
        raise BadInput(f"{path.name}: its difficulties differ in tempo", "give a JSON list of {beat, bpm}")
    return _joined(tempi[0], path.name)


def _joined(tempo: TempoMap, label: str) -> TempoMap:
    if not tempo.regular:
        raise BadInput(
            f"{label}: its tempo regions leave gaps or do not begin at the first sample",
            "give rows of seconds,beat instead",
        )
    return tempo


def _check_rising(values: Sequence[float], what: str, label: str) -> None:
    for number, (before, after) in enumerate(pairwise(values), start=2):
        if after <= before:
            raise BadInput(f"{label}: {what} must rise, got {after:g} after {before:g} (number {number})", "sort them")


def _checked_bpm(bpm: float, label: str) -> float:
    if not MIN_BPM <= bpm <= MAX_BPM:
        raise BadInput(f"{label}: BPM must be from {MIN_BPM:g} to {MAX_BPM:g}, got {bpm:g}", "correct it")
    return bpm


def _number(value: Any, label: str) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise BadInput(f"{label}: expected a number, got {value!r}", "correct it")
    return number
