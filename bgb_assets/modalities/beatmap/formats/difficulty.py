"""Reads one difficulty of a map: its file, its objects and its tempo, or the reason why it cannot be used.

Belongs here: which tempo rule holds for which file, and the marks (`flags`) a difficulty gets on the way.
Does not belong here: field names of a version (`parse_v2` and its siblings). Next in the flow: `raw`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bgb_assets.modalities.beatmap.formats.audio_data import AudioData, parse_audio_data
from bgb_assets.modalities.beatmap.formats.folder import MapFolder
from bgb_assets.modalities.beatmap.formats.info import DifficultyInfo, SongInfo, optional_number, positive_bpm
from bgb_assets.modalities.beatmap.formats.objects import count
from bgb_assets.modalities.beatmap.formats.parse_v2 import parse_v2
from bgb_assets.modalities.beatmap.formats.parse_v3 import parse_v3
from bgb_assets.modalities.beatmap.formats.parse_v4 import parse_v4
from bgb_assets.modalities.beatmap.formats.parsed import Parsed
from bgb_assets.modalities.beatmap.formats.reading import read_json
from bgb_assets.modalities.beatmap.formats.tempo import (
    DISAGREEMENT_S,
    TempoMap,
    TempoReading,
    region_disagreement_s,
    tempo_from_events,
    tempo_from_regions,
)
from bgb_assets.modalities.beatmap.formats.versions import Version, difficulty_version
from bgb_assets.runtime.errors import BadInput

OK, MISSING_FILE, INVALID = "ok", "missing_file", "invalid"


@dataclass(frozen=True)
class Difficulty:
    """One readable difficulty.

    Attributes:
        info: What Info says of it; jump speed and offset from its own file in version 1.
        version: Version of its file.
        parsed: Its objects, and what had to be left out.
        tempo: Its tempo map.
        base_bpm: Tempo that its changes are changes of.
        flags: Sorted marks: `song_time_offset`, `shuffle`, `rotation`, `bpm_info_disagrees`, `tempo_events_ignored`,
            `irregular_regions`.
        warnings: Sentences for a person.
    """

    info: DifficultyInfo
    version: Version
    parsed: Parsed
    tempo: TempoMap
    base_bpm: float
    flags: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Unusable:
    """A difficulty that cannot be used.

    Attributes:
        info: What Info says of it.
        status: `missing_file` or `invalid`.
        reason: What is wrong.
        remedy: What its owner can do.
    """

    info: DifficultyInfo
    status: str
    reason: str
    remedy: str


@dataclass(frozen=True)
class AudioDataFile:
    """The audio data of a song: readable, absent, or the reason why it cannot be read."""

    data: AudioData | None = None
    error: BadInput | None = None


def read_audio_data(folder: MapFolder, song: SongInfo) -> AudioDataFile:
    """Read the audio data file that Info names (before version 4: `BPMInfo.dat`), if it is there."""
    found = folder.find(song.audio_data_file) if song.audio_data_file else None
    if found is None:
        return AudioDataFile()
    try:
        return AudioDataFile(parse_audio_data(read_json(folder.path(found), found), found))
    except BadInput as error:
        return AudioDataFile(error=error)


def read_difficulty(
    folder: MapFolder, song: SongInfo, info: DifficultyInfo, audio_data: AudioDataFile
) -> Difficulty | Unusable:
    """Read one difficulty that Info names; what is wrong with it is a value, so that the others go on."""
    if not info.rank:
        reason = f"unknown difficulty name {info.difficulty!r} without a known rank"
        return Unusable(info, INVALID, reason, "name it Easy, Normal, Hard, Expert or ExpertPlus")
    found = folder.find(info.file) if info.file else None
    if found is None:
        reason = f"Info names the file {info.file!r}, which is not in the upload"
        return Unusable(info, MISSING_FILE, reason, "add the file or remove the difficulty from Info")
    try:
        return parse_difficulty(read_json(folder.path(found), found), found, song, info, audio_data)
    except BadInput as error:
        return Unusable(info, INVALID, error.reason, error.remedy)


def parse_difficulty(
    document: Any, label: str, song: SongInfo, info: DifficultyInfo, audio_data: AudioDataFile
) -> Difficulty:
    """Return the difficulty in a JSON value.

    Raises:
        BadInput: It cannot be read.
    """
    version = difficulty_version(document, label)
    parsed = _parse(document, version, label)
    base_bpm = _base_bpm(document, song, label)
    reading = _tempo(parsed, version, base_bpm, audio_data)
    disagrees = version.major < 4 and _disagrees(reading.tempo, audio_data)
    flags = {
        "song_time_offset": song.song_time_offset_s != 0,
        "shuffle": song.shuffle != 0 or _own_shuffle(document, song) != 0,
        "rotation": count(parsed.objects["rotations"]) > 0 or bool(parsed.issues.get("rotated_objects")),
        "bpm_info_disagrees": disagrees,
        "tempo_events_ignored": reading.ignored > 0,
        "irregular_regions": not reading.tempo.regular,
    }
    marks = tuple(sorted(name for name, holds in flags.items() if holds))
    warnings = (*([version.warning] if version.warning else []), *_sentences(label, marks, parsed.issues))
    own_info = _own_jump(document, info) if song.version.major == 1 else info
    return Difficulty(own_info, version, parsed, reading.tempo, base_bpm, marks, warnings)


def _parse(document: Mapping[str, Any], version: Version, label: str) -> Parsed:
    if version.major <= 2:
        return parse_v2(document, version, label)
    return parse_v3(document, label) if version.major == 3 else parse_v4(document, label)


def _tempo(parsed: Parsed, version: Version, base_bpm: float, audio_data: AudioDataFile) -> TempoReading:
    if version.major < 4:
        return tempo_from_events(base_bpm, parsed.tempo_beats, parsed.tempo_bpms)
    if audio_data.error is not None:
        raise audio_data.error
    if audio_data.data is None:
        return tempo_from_events(base_bpm, [], [])
    return tempo_from_regions(base_bpm, audio_data.data.regions, audio_data.data.frequency_hz)


def _base_bpm(document: Mapping[str, Any], song: SongInfo, label: str) -> float:
    """Version 1 songs may give each difficulty a tempo of its own; from version 2 on Info's alone counts."""
    own = document.get("_beatsPerMinute") if song.version.major == 1 else None
    return song.bpm if own is None else positive_bpm(own, label)


def _own_shuffle(document: Mapping[str, Any], song: SongInfo) -> float:
    return (optional_number(document.get("_shuffle")) or 0.0) if song.version.major == 1 else 0.0


def _own_jump(document: Mapping[str, Any], info: DifficultyInfo) -> DifficultyInfo:
    return DifficultyInfo(
        info.characteristic,
        info.difficulty,
        info.rank,
        info.file,
        optional_number(document.get("_noteJumpSpeed", 0)),
        optional_number(document.get("_noteJumpStartBeatOffset", 0)),
        info.requirements,
    )


def _disagrees(tempo: TempoMap, audio_data: AudioDataFile) -> bool:
    data = audio_data.data
    if data is None or data.frequency_hz <= 0:
        return False
    return region_disagreement_s(tempo, data.regions, data.frequency_hz) > DISAGREEMENT_S


def _sentences(label: str, flags: tuple[str, ...], issues: Mapping[str, int]) -> list[str]:
    found = [f"{label}: {flag}" for flag in flags if flag not in ("rotation", "shuffle", "song_time_offset")]
    return found + [f"{label}: {reason}: {number}" for reason, number in issues.items() if reason != "rotated_objects"]
