"""Reads one official level's bundle and writes it as the map folder that stage `raw` reads.

Difficulty files are written as plain JSON, not gzip as they lie in the bundle: a gzip header holds a clock, and its
body depends on the library that packed it, while the bytes below are the same on every machine. Audio is written as
the bundle holds it where it is a file of its own (Ogg, WAV). Lights are left out: no stage reads them.
Belongs here: the fields of a level and the files of its map. Does not belong here: finding bundles
(`official_game`). Next in the flow: `raw`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bgb_assets.modalities.beatmap.formats.audio_data import parse_audio_data
from bgb_assets.modalities.beatmap.formats.identities import canonical_json
from bgb_assets.modalities.beatmap.formats.info import clean_text
from bgb_assets.modalities.beatmap.formats.naming import RANKS, characteristic_name, safe_name
from bgb_assets.modalities.beatmap.formats.reading import read_content, read_json
from bgb_assets.modalities.beatmap.sources.official_bundles import VERIFY, Behaviour, Sound, behaviours, is_null
from bgb_assets.modalities.beatmap.sources.official_packs import difficulty_of
from bgb_assets.runtime.errors import BadInput

_LEVEL_DATA = "BeatmapLevelData"
_AUDIO_DATA_FILE = "BPMInfo.dat"
"""What `raw` reads beside an Info of version 2; its content may be of either version."""
_NO_AUDIO_FILE = "song.ogg"


@dataclass(frozen=True)
class LevelDifficulty:
    """One difficulty of a level.

    Attributes:
        characteristic: As the level spells it.
        difficulty: One of `DIFFICULTIES`.
        content: Its file as the bundle holds it, mostly gzip.
    """

    characteristic: str
    difficulty: str
    content: bytes

    @property
    def file(self) -> str:
        """Name of its file in the map."""
        return f"{self.difficulty}{safe_name(self.characteristic)}.dat"


@dataclass(frozen=True)
class Level:
    """One level's bundle.

    Attributes:
        name: The level's name in its own bundle.
        difficulties: In the order of the bundle.
        sound: The song, or None.
        audio_data: What ties samples to beats, as the bundle holds it, or None.
    """

    name: str
    difficulties: tuple[LevelDifficulty, ...]
    sound: Sound | None
    audio_data: bytes | None


def level_name(path: Path, label: str) -> str:
    """Return the name that a level's bundle gives it.

    Raises:
        BadInput: Not a bundle, damaged, or without level data.
    """
    return _short_name(_level_data(path.read_bytes(), label))


def read_level(content: bytes, label: str) -> Level:
    """Read a level's bundle whole.

    Args:
        content: The bundle's bytes.
        label: How messages name it.

    Raises:
        BadInput: Not a bundle, no level data, or something that the level names is not there or cannot be decoded.
    """
    data = _level_data(content, label)
    difficulties = tuple(_difficulties(data, label))
    files = [item.file.lower() for item in difficulties]
    repeated = sorted({name for name in files if files.count(name) > 1})
    if repeated:
        raise BadInput(f"{label}: the level names {', '.join(repeated)} more than once", VERIFY)
    clip, audio_data = data.fields.get("_audioClip"), data.fields.get("_audioDataAsset")
    return Level(
        name=_short_name(data),
        difficulties=difficulties,
        sound=None if is_null(clip) else data.sound(clip),
        audio_data=None if is_null(audio_data) else data.text(audio_data),
    )


def write_map(level: Level, packed: Mapping[str, Any] | None, label: str, out: Path) -> None:
    """Write a level as a map of version 2: equal bundles and packs give equal bytes.

    Args:
        level: What its bundle holds.
        packed: What its pack says of it (`official_packs.PackedLevel.document`), or None where none knows it.
        label: How messages name the bundle.
        out: An empty directory.

    Raises:
        BadInput: No pack knows the level, and its audio data do not tell the tempo either.
    """
    for item in level.difficulties:
        _write_unpacked(out / item.file, item.content)
    if level.audio_data is not None:
        _write_unpacked(out / _AUDIO_DATA_FILE, level.audio_data)
    audio_file = f"song{level.sound.suffix}" if level.sound else _NO_AUDIO_FILE
    if level.sound:
        (out / audio_file).write_bytes(level.sound.content)
    said = packed or {"_songName": level.name, "_beatsPerMinute": _own_bpm(out, label), "sets": []}
    (out / "Info.dat").write_bytes(canonical_json(_info(level, said, audio_file)))


def jump_speeds(
    level: Sequence[LevelDifficulty], sets: Sequence[Mapping[str, Any]]
) -> Mapping[tuple[str, str], tuple[float, float]]:
    """Return (characteristic, difficulty) -> (jump speed, jump offset in beats), as far as a pack tells them.

    A set whose characteristic could not be found is that of the one characteristic that no other set speaks of;
    where there are several to choose from, nothing is guessed.
    """
    named = {characteristic_name(entry["characteristic"]): entry for entry in sets if entry["characteristic"]}
    unnamed = [entry for entry in sets if not entry["characteristic"]]
    left = {characteristic_name(item.characteristic) for item in level} - set(named)
    if len(unnamed) == 1 and len(left) == 1:
        named[left.pop()] = unnamed[0]
    return {
        (characteristic, difficulty): (speed, offset)
        for characteristic, entry in named.items()
        for difficulty, (speed, offset) in entry["speeds"].items()
    }


def _level_data(content: bytes, label: str) -> Behaviour:
    found = behaviours(content, label)
    data = [item for item in found if _LEVEL_DATA in item.name]
    if len(data) != 1:
        reason = f"{label}: {len(data) or 'no'} level data ({_LEVEL_DATA}) among {len(found)} behaviours, expected 1"
        raise BadInput(reason, VERIFY)
    return data[0]


def _short_name(data: Behaviour) -> str:
    return clean_text(data.name.replace(_LEVEL_DATA, ""))


def _difficulties(data: Behaviour, label: str) -> Iterator[LevelDifficulty]:
    for group in data.fields.get("_difficultyBeatmapSets", ()):
        characteristic = clean_text(str(group.get("_beatmapCharacteristicSerializedName", "")))
        for entry in group.get("_difficultyBeatmaps", ()):
            name = difficulty_of(entry.get("_difficulty"), f"{label}: {characteristic}")
            yield LevelDifficulty(characteristic, name, data.text(entry.get("_beatmapAsset")))


def _write_unpacked(path: Path, content: bytes) -> None:
    """Write a file un-gzipped; one whose gzip is damaged stays as it is, for `raw` to say so of this file alone."""
    path.write_bytes(content)
    try:
        unpacked = read_content(path, path.name)
    except BadInput:
        return
    path.write_bytes(unpacked)


def _own_bpm(out: Path, label: str) -> float:
    """Return the tempo of the first region of a level's audio data."""
    path = out / _AUDIO_DATA_FILE
    data = parse_audio_data(read_json(path, f"{label}: audio data"), f"{label}: audio data") if path.exists() else None
    if data is None or not len(data.regions):
        raise BadInput(f"{label}: no pack knows the level and it has no tempo of its own", VERIFY)
    start, end, first_beat, last_beat = data.regions[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        bpm = float(60.0 * (last_beat - first_beat) * data.frequency_hz / (end - start))
    if not np.isfinite(bpm) or bpm <= 0:
        raise BadInput(f"{label}: no pack knows the level and its audio data give a tempo of {bpm!r}", VERIFY)
    return bpm


def _info(level: Level, said: Mapping[str, Any], audio_file: str) -> dict[str, Any]:
    speeds = jump_speeds(level.difficulties, said["sets"])
    sets: dict[str, list[dict[str, Any]]] = {}
    for item in level.difficulties:
        speed, offset = speeds.get((characteristic_name(item.characteristic), item.difficulty), (None, None))
        entry = {
            "_difficulty": item.difficulty,
            "_difficultyRank": RANKS[item.difficulty],
            "_beatmapFilename": item.file,
            "_noteJumpMovementSpeed": speed,
            "_noteJumpStartBeatOffset": offset,
        }
        sets.setdefault(item.characteristic, []).append(entry)
    texts = ("_songName", "_songSubName", "_songAuthorName", "_levelAuthorName")
    return {
        "_version": "2.1.0",
        **{name: said.get(name, "") for name in texts},
        "_beatsPerMinute": said["_beatsPerMinute"],
        "_songTimeOffset": said.get("_songTimeOffset", 0.0),
        "_shuffle": 0,
        "_shufflePeriod": 0.5,
        "_songFilename": audio_file,
        "_coverImageFilename": "",
        "_difficultyBeatmapSets": [
            {"_beatmapCharacteristicName": name, "_difficultyBeatmaps": entries} for name, entries in sets.items()
        ],
    }
