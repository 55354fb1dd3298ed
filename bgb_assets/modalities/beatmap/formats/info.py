"""Reads the Info file of a map, version 1, 2 or 4, into one form.

Belongs here: what Info says about the song and its difficulties, and the checks that make an upload unusable.
Does not belong here: opening the files that Info names. Next in the flow: `difficulty`, `raw`.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bgb_assets.modalities.beatmap.formats.naming import RANKS, characteristic_name, difficulty_name
from bgb_assets.modalities.beatmap.formats.tempo import GREATEST_BPM, LEAST_BPM
from bgb_assets.modalities.beatmap.formats.versions import Version, info_version
from bgb_assets.runtime.errors import BadInput


@dataclass(frozen=True)
class DifficultyInfo:
    """One difficulty as Info describes it.

    Attributes:
        characteristic: Canonical where known.
        difficulty: Canonical name; as found where neither name nor rank is known.
        rank: 1, 3, 5, 7, 9; 0 where unknown.
        file: Name of its file; may be empty.
        njs: Jump speed, or None where Info has none.
        njo: Jump offset in beats, or None.
        requirements: Names of what the game needs to play it, sorted.
    """

    characteristic: str
    difficulty: str
    rank: int
    file: str
    njs: float | None
    njo: float | None
    requirements: tuple[str, ...] = ()


@dataclass(frozen=True)
class SongInfo:
    """One Info file.

    Attributes:
        version: Its schema version.
        title: And the texts that follow: empty where Info has none.
        mappers: Who made the map, in order.
        bpm: Tempo before any change, finite and positive.
        song_time_offset_s: Recorded, never applied.
        shuffle: Recorded, never applied.
        audio_file: Name of the audio file, may be empty.
        audio_data_file: Name of the file that ties samples to beats, may be empty.
        difficulties: In the order of Info.
    """

    version: Version
    title: str
    subtitle: str
    artist: str
    mappers: tuple[str, ...]
    bpm: float
    song_time_offset_s: float
    shuffle: float
    audio_file: str
    audio_data_file: str
    difficulties: tuple[DifficultyInfo, ...]


def parse_info(document: Any, label: str) -> SongInfo:
    """Return what an Info file says.

    Args:
        document: Its JSON value.
        label: How messages name the file.

    Raises:
        BadInput: The version is unknown, the tempo is no positive number, or the list of difficulties is broken.
    """
    version = info_version(document, label)
    reader = {1: _parse_v1, 2: _parse_v2, 4: _parse_v4}[version.major]
    return reader(document, version, label)


def positive_bpm(value: Any, label: str) -> float:
    """Return a tempo; a numeric text is read too.

    Raises:
        BadInput: Not a finite positive number, or beyond what can be reckoned with.
    """
    bpm = optional_number(value)
    if bpm is None or bpm <= 0:
        raise BadInput(f"{label}: beats per minute must be a positive number, got {value!r:.80}", "correct it in Info")
    if not LEAST_BPM <= bpm <= GREATEST_BPM:
        reason = f"{label}: beats per minute must be from {LEAST_BPM:g} to {GREATEST_BPM:g}, got {value!r:.80}"
        raise BadInput(reason, "correct it in Info")
    return bpm


def optional_number(value: Any) -> float | None:
    """Return a finite number, also from a numeric text, else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _parse_v1(document: Mapping[str, Any], version: Version, label: str) -> SongInfo:
    entries = _entries(document, "difficultyLevels", label)
    one_saber = "OneSaber" if document.get("oneSaber") is True else "Standard"
    difficulties = tuple(
        _difficulty(
            entry,
            characteristic=_text(entry, "characteristic") or one_saber,
            difficulty=_text(entry, "difficulty"),
            rank=entry.get("difficultyRank"),
            file=_text(entry, "jsonPath"),
        )
        for entry in entries
    )
    return SongInfo(
        version=version,
        title=_text(document, "songName"),
        subtitle=_text(document, "songSubName"),
        artist=_text(document, "authorName"),
        mappers=(),
        bpm=positive_bpm(document.get("beatsPerMinute"), label),
        song_time_offset_s=0.0,
        shuffle=0.0,
        audio_file=next((name for name in (_text(entry, "audioPath") for entry in entries) if name), ""),
        audio_data_file="",
        difficulties=difficulties,
    )


def _parse_v2(document: Mapping[str, Any], version: Version, label: str) -> SongInfo:
    mapper = _text(document, "_levelAuthorName")
    return SongInfo(
        version=version,
        title=_text(document, "_songName"),
        subtitle=_text(document, "_songSubName"),
        artist=_text(document, "_songAuthorName"),
        mappers=(mapper,) if mapper else (),
        bpm=positive_bpm(document.get("_beatsPerMinute"), label),
        song_time_offset_s=optional_number(document.get("_songTimeOffset")) or 0.0,
        shuffle=optional_number(document.get("_shuffle")) or 0.0,
        audio_file=_text(document, "_songFilename"),
        audio_data_file="BPMInfo.dat",
        difficulties=tuple(_v2_difficulties(document, label)),
    )


def _v2_difficulties(document: Mapping[str, Any], label: str) -> Iterator[DifficultyInfo]:
    for group in _entries(document, "_difficultyBeatmapSets", label):
        for entry in _entries(group, "_difficultyBeatmaps", label):
            yield _difficulty(
                entry,
                characteristic=_text(group, "_beatmapCharacteristicName"),
                difficulty=_text(entry, "_difficulty"),
                rank=entry.get("_difficultyRank"),
                file=_text(entry, "_beatmapFilename"),
                njs=entry.get("_noteJumpMovementSpeed", 0),
                njo=entry.get("_noteJumpStartBeatOffset", 0),
            )


def _parse_v4(document: Mapping[str, Any], version: Version, label: str) -> SongInfo:
    song, audio = _section(document, "song", label), _section(document, "audio", label)
    entries = _entries(document, "difficultyBeatmaps", label)
    authors = [author for entry in entries for author in _mappers(entry)]
    return SongInfo(
        version=version,
        title=_text(song, "title"),
        subtitle=_text(song, "subTitle"),
        artist=_text(song, "author"),
        mappers=tuple(dict.fromkeys(authors)),
        bpm=positive_bpm(audio.get("bpm"), label),
        song_time_offset_s=0.0,
        shuffle=0.0,
        audio_file=_text(audio, "songFilename"),
        audio_data_file=_text(audio, "audioDataFilename"),
        difficulties=tuple(
            _difficulty(
                entry,
                characteristic=_text(entry, "characteristic"),
                difficulty=_text(entry, "difficulty"),
                file=_text(entry, "beatmapDataFilename"),
                njs=entry.get("noteJumpMovementSpeed", 0),
                njo=entry.get("noteJumpStartBeatOffset", 0),
            )
            for entry in entries
        ),
    )


def _difficulty(
    entry: Mapping[str, Any],
    characteristic: str,
    difficulty: str,
    file: str,
    rank: Any = None,
    njs: Any = None,
    njo: Any = None,
) -> DifficultyInfo:
    number = optional_number(rank)
    name = difficulty_name(difficulty, int(number) if number is not None else None)
    return DifficultyInfo(
        characteristic=characteristic_name(characteristic) or "Standard",
        difficulty=name or difficulty,
        rank=RANKS.get(name or "", 0),
        file=file,
        njs=optional_number(njs),
        njo=optional_number(njo),
        requirements=_requirements(entry),
    )


def _requirements(entry: Mapping[str, Any]) -> tuple[str, ...]:
    customs = (entry.get("_customData"), entry.get("customData"))
    lists = [
        custom.get(key)
        for custom in customs
        if isinstance(custom, Mapping)
        for key in ("_requirements", "requirements")
    ]
    return tuple(sorted({name for names in lists for name in _texts(names)}))


def _mappers(entry: Mapping[str, Any]) -> list[str]:
    authors = entry.get("beatmapAuthors")
    return _texts(authors.get("mappers")) if isinstance(authors, Mapping) else []


def _texts(value: Any) -> list[str]:
    return [clean_text(text) for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _entries(parent: Mapping[str, Any], key: str, label: str) -> list[Mapping[str, Any]]:
    value = parent.get(key)
    entries = [] if value is None else value
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise BadInput(f"{label}: {key} must be a list of objects, got {value!r:.80}", "correct it in Info")
    return entries


def _section(document: Mapping[str, Any], key: str, label: str) -> Mapping[str, Any]:
    value = document.get(key, {})
    if not isinstance(value, Mapping):
        raise BadInput(f"{label}: {key} must be an object, got {value!r:.80}", "correct it in Info")
    return value


def _text(parent: Mapping[str, Any], key: str) -> str:
    value = parent.get(key)
    return clean_text(value) if isinstance(value, str) else ""


def clean_text(text: str) -> str:
    """Return a text that can be written as UTF-8: a lone surrogate becomes `?`."""
    return text.encode("utf-8", "replace").decode("utf-8")
