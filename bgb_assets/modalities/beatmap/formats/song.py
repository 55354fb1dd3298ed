"""Reads one delivered song whole: its Info, its audio's identity and every difficulty that Info names.

Belongs here: what is read of an upload, and the JSON that later stages are handed.
Does not belong here: finding uploads and the stage itself (`raw`). Next in the flow: `raw`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bgb_assets.modalities.beatmap.audio.audio_identity import AudioIdentity, identify_audio
from bgb_assets.modalities.beatmap.formats.difficulty import (
    INVALID,
    OK,
    AudioDataFile,
    Difficulty,
    Unusable,
    read_audio_data,
    read_difficulty,
)
from bgb_assets.modalities.beatmap.formats.folder import MapFolder, open_folder
from bgb_assets.modalities.beatmap.formats.identities import beatmap_id, canonical_json, song_hash, tempo_id
from bgb_assets.modalities.beatmap.formats.info import DifficultyInfo, SongInfo, parse_info
from bgb_assets.modalities.beatmap.formats.naming import safe_name
from bgb_assets.modalities.beatmap.formats.objects import count, to_json
from bgb_assets.modalities.beatmap.formats.reading import read_json
from bgb_assets.runtime.errors import BadInput

PARTIAL = "partial"
"""Status of a song of which not every difficulty is readable."""


@dataclass(frozen=True)
class Song:
    """All that was read of one upload.

    Attributes:
        info: What Info says.
        audio_file: Relative path of the audio file in the upload, or None.
        audio: Its identity, or None.
        difficulties: One for each that Info names, sorted by characteristic and rank.
        warnings: Sentences for a person.
    """

    info: SongInfo
    audio_file: str | None
    audio: AudioIdentity | None
    difficulties: tuple[Difficulty | Unusable, ...]
    warnings: tuple[str, ...]

    @property
    def readable(self) -> tuple[Difficulty, ...]:
        """The difficulties that can be used."""
        return tuple(difficulty for difficulty in self.difficulties if isinstance(difficulty, Difficulty))

    @property
    def status(self) -> str:
        """`ok`, or `partial` where a difficulty cannot be used."""
        return OK if len(self.readable) == len(self.difficulties) else PARTIAL

    @property
    def audio_id(self) -> str | None:
        """Identity of the audio, or None."""
        return self.audio.audio_id if self.audio else None


def read_song(directory: Path) -> Song:
    """Read a song.

    Raises:
        BadInput: No Info, an unusable Info, or not one readable difficulty.
    """
    folder, info = read_info(directory)
    audio_file = find_audio(folder, info)
    audio_data = read_audio_data(folder, info)
    difficulties = tuple(_difficulties(folder, info, audio_data))
    song = Song(
        info=info,
        audio_file=audio_file,
        audio=identify_audio(folder.path(audio_file)) if audio_file else None,
        difficulties=difficulties,
        warnings=tuple(_warnings(folder, info, audio_file, audio_data, difficulties)),
    )
    if not song.readable:
        raise _nothing_readable(song, folder.info)
    return song


def read_info(directory: Path) -> tuple[MapFolder, SongInfo]:
    """Find and read the Info file of an upload.

    Raises:
        BadInput: There is none, more than one, or it cannot be used.
    """
    folder = open_folder(directory)
    try:
        return folder, parse_info(read_json(folder.path(folder.info), folder.info), folder.info)
    except BadInput as error:
        raise BadInput(error.reason, "repair the map's Info file or exclude the upload") from None


def find_audio(folder: MapFolder, info: SongInfo) -> str | None:
    """Return the relative path of the audio file that Info names, or None where the upload lacks it."""
    return folder.find(info.audio_file) if info.audio_file else None


def song_json(song: Song) -> dict[str, Any]:
    """Return the value of `song.json`.

    `song` and `audio` follow from the facets `meta` and `audio`; `difficulties` from `objects` and `tempo`.
    """
    rows = [difficulty_row(difficulty) for difficulty in song.difficulties]
    return {
        "audio": audio_json(song.audio) if song.audio else None,
        "difficulties": rows,
        "song": meta_json(song.info),
        "song_hash": song_identity(song),
        "status": song.status,
    }


def song_identity(song: Song) -> str:
    """Return the `song_hash` over the readable difficulties."""
    parts = (
        (item.info.characteristic, item.info.difficulty, beatmap_id(item.parsed.objects), tempo_id(item.tempo))
        for item in song.readable
    )
    return song_hash(song.audio_id, parts)


def meta_json(info: SongInfo) -> dict[str, Any]:
    """Return what Info says of the song itself."""
    return {
        "artist": info.artist,
        "bpm": info.bpm,
        "mappers": list(info.mappers),
        "subtitle": info.subtitle,
        "title": info.title,
    }


def audio_json(audio: AudioIdentity) -> dict[str, Any]:
    """Return what is known of the audio without decoding it."""
    return {
        "audio_id": audio.audio_id,
        "channels": audio.channels,
        "codec": audio.codec,
        "frames": audio.frames,
        "rate_hz": audio.rate_hz,
        "seconds": audio.seconds,
    }


def difficulty_row(difficulty: Difficulty | Unusable) -> dict[str, Any]:
    """Return the row of one difficulty in `song.json`; what cannot be known of an unusable one is null."""
    info = difficulty.info
    named = {"characteristic": info.characteristic, "difficulty": info.difficulty, "file": info.file}
    stated = {"njo": info.njo, "njs": info.njs, "rank": info.rank, "requirements": list(info.requirements)}
    if isinstance(difficulty, Unusable):
        return named | stated | {"reason": difficulty.reason, "status": difficulty.status}
    objects = difficulty.parsed.objects
    return (
        named
        | stated
        | {
            "base_bpm": difficulty.base_bpm,
            "beatmap_id": beatmap_id(objects),
            "counts": {kind: count(objects[kind]) for kind in objects},
            "entry_file": entry_file(difficulty),
            "flags": list(difficulty.flags),
            "issues": dict(difficulty.parsed.issues),
            "reason": None,
            "status": OK,
            "tempo_id": tempo_id(difficulty.tempo),
            "version": difficulty.version.text,
        }
    )


def entry_file(difficulty: Difficulty) -> str:
    """Return the name of the file with a difficulty's objects."""
    return f"{facet_name(difficulty.info)}.json"


def facet_name(info: DifficultyInfo) -> str:
    """Return `<Characteristic>.<Difficulty>`, safe in file names."""
    return f"{safe_name(info.characteristic)}.{info.difficulty}"


def difficulty_json(difficulty: Difficulty) -> bytes:
    """Return the file with a difficulty's objects; equal objects give equal bytes."""
    return canonical_json({"objects": to_json(difficulty.parsed.objects), "version": 1})


def tempo_json(song: Song) -> Mapping[str, Any]:
    """Return the value of `tempo.json`: each tempo map of the song under its `tempo_id`."""
    return {"tempo_maps": {tempo_id(item.tempo): item.tempo.to_json() for item in song.readable}}


def _difficulties(folder: MapFolder, info: SongInfo, audio_data: AudioDataFile) -> Iterator[Difficulty | Unusable]:
    seen: set[tuple[str, str]] = set()
    for entry in sorted(info.difficulties, key=lambda item: (item.characteristic, item.rank)):
        # Without case, as two files that differ in case are one on some disks.
        key = (entry.characteristic.casefold(), entry.difficulty)
        if key in seen:
            reason = f"Info names {entry.characteristic} {entry.difficulty} more than once"
            yield Unusable(entry, INVALID, reason, "keep one of them")
            continue
        seen.add(key)
        yield read_difficulty(folder, info, entry, audio_data)


def _warnings(
    folder: MapFolder,
    info: SongInfo,
    audio_file: str | None,
    audio_data: AudioDataFile,
    difficulties: tuple[Difficulty | Unusable, ...],
) -> Iterator[str]:
    if info.version.warning:
        yield info.version.warning
    if audio_file is None:
        yield f"no_audio: Info names {info.audio_file!r}, which is not in the upload"
    elif not folder.named_exactly(info.audio_file, audio_file):
        yield f"Info names the audio {info.audio_file!r}, the file is {audio_file!r}"
    if audio_data.error is not None:
        yield f"audio data is not used: {audio_data.error.reason}"
    for item in difficulties:
        if isinstance(item, Unusable):
            yield f"{item.info.characteristic} {item.info.difficulty}: {item.status}: {item.reason}; {item.remedy}"
        else:
            yield from item.warnings


def _nothing_readable(song: Song, info_file: str) -> BadInput:
    if not song.difficulties:
        return BadInput(f"{info_file}: names no difficulty", "add a difficulty or exclude the upload")
    unusable = [item for item in song.difficulties if isinstance(item, Unusable)]
    remedies = sorted({item.remedy for item in unusable})
    return BadInput("; ".join(item.reason for item in unusable), " or ".join(remedies))
