"""A map that somebody made, as a song to write: what is carried, and what is left behind, counted.

Carried: title, subtitle, artist, mappers, cover, audio (without its tags), preview, stages, offset and shuffle; of each
difficulty its objects, tempo, jump speed and offset, requirements, basic lights. All else is counted.

Belongs here: from a delivered map to a `SongToWrite`. Does not belong here: which of it a version of the format holds
(`export`), and what is done on the way (`convert`, `repair`).
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from bgb_assets.modalities.beatmap.formats.difficulty import Difficulty, Unusable
from bgb_assets.modalities.beatmap.formats.folder import MapFolder, open_folder
from bgb_assets.modalities.beatmap.formats.info import optional_number
from bgb_assets.modalities.beatmap.formats.reading import read_json
from bgb_assets.modalities.beatmap.formats.song import Song, read_song
from bgb_assets.modalities.beatmap.formats.tempo import TempoMap
from bgb_assets.modalities.beatmap.writing.export_audio import game_audio, without_tags
from bgb_assets.modalities.beatmap.writing.lights import Lights, no_lights
from bgb_assets.modalities.beatmap.writing.read_lights import read_lights, read_lightshow
from bgb_assets.modalities.beatmap.writing.retiming import same_tempo
from bgb_assets.modalities.beatmap.writing.song_to_write import (
    COVER_FILE,
    ENVIRONMENTS,
    AudioToWrite,
    DifficultyToWrite,
    SongToWrite,
)
from bgb_assets.modalities.beatmap.writing.uncarried import (
    difficulty_entries,
    uncarried_in_difficulty,
    uncarried_in_info,
)
from bgb_assets.runtime.errors import BadInput

UNREADABLE = "difficulties that cannot be read"
ROTATED = "lane rotations of single objects"

_GAME_AUDIO_SUFFIXES = (".egg", ".ogg")
_PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True)
class SourceMap:
    """What was read of a map.

    Attributes:
        song: All that is carried.
        versions: Version strings of its readable difficulties, in order.
        lost: What is played and cannot be carried -> how many.
        left: What is not played and not carried -> how many.
        unreadable: The difficulties that cannot be read.
        warnings: Sentences for a person.
    """

    song: SongToWrite
    versions: tuple[str, ...]
    lost: Mapping[str, int]
    left: Mapping[str, int]
    unreadable: tuple[Unusable, ...]
    warnings: tuple[str, ...]


def read_source_map(directory: Path) -> SourceMap:
    """Read the map in a directory.

    Raises:
        BadInput: No Info, an unusable Info, not one readable difficulty, or audio that cannot be decoded.
    """
    song, folder = read_song(directory), open_folder(directory)
    info = read_json(folder.path(folder.info), folder.info)
    left: Counter[str] = Counter()
    warnings = list(song.warnings)
    written = _song_texts(song, info)
    audio = _audio(folder, song, warnings)
    cover_file, cover = _cover(folder, info, warnings)
    tempo = song.readable[0].tempo
    shows = _shows(folder, song, info, left, warnings)
    difficulties = tuple(_difficulty(item, tempo, shows) for item in song.readable)
    to_write = SongToWrite(
        tempo=tempo, difficulties=difficulties, audio=audio, cover=cover, cover_file=cover_file, **written
    )
    left += uncarried_in_info(info, to_write.environments)
    left["other files"] += len(_other_files(folder, song, info))
    rotated = sum(item.parsed.issues.get("rotated_objects", 0) for item in song.readable)
    unreadable = tuple(item for item in song.difficulties if isinstance(item, Unusable))
    return SourceMap(
        song=to_write,
        versions=tuple(item.version.text for item in song.readable),
        lost=+Counter({UNREADABLE: len(unreadable), ROTATED: rotated}),
        left=dict(sorted((+left).items())),
        unreadable=unreadable,
        warnings=tuple(warnings),
    )


def _song_texts(song: Song, info: Mapping[str, Any]) -> dict[str, Any]:
    audio = info.get("audio")
    previewed = audio if isinstance(audio, Mapping) else info
    preview = tuple(_number(previewed, f"preview{what}", f"_preview{what}") for what in ("StartTime", "Duration"))
    return {
        "title": song.info.title,
        "subtitle": song.info.subtitle,
        "artist": song.info.artist,
        "mappers": song.info.mappers,
        "preview_s": preview,
        "environments": _environments(info),
        "song_time_offset_s": song.info.song_time_offset_s,
        "shuffle": song.info.shuffle,
        "shuffle_period": _number(info, "_shufflePeriod"),
    }


def _number(parent: Mapping[str, Any], *names: str) -> float:
    """Return the first of some members that is a number, 0 where none is."""
    values = (optional_number(parent[name]) for name in names if name in parent)
    return next((value for value in values if value is not None), 0.0)


def _environments(info: Mapping[str, Any]) -> tuple[str, str]:
    """Return the stage and the one for difficulties that turn the player, as Info names them."""
    names = info.get("environmentNames")
    if isinstance(names, list):
        listed = [name for name in names if isinstance(name, str) and name]
        first, second = [*listed, *ENVIRONMENTS[len(listed) :]][:2]
        return first, second
    usual = info.get("_environmentName", info.get("environmentName"))
    turning = info.get("_allDirectionsEnvironmentName")
    return (
        usual if isinstance(usual, str) and usual else ENVIRONMENTS[0],
        turning if isinstance(turning, str) and turning else ENVIRONMENTS[1],
    )


def _audio(folder: MapFolder, song: Song, warnings: list[str]) -> AudioToWrite | None:
    if song.audio_file is None:
        return None
    path = folder.path(song.audio_file)
    copied = without_tags(path.read_bytes())
    if copied is None:
        codec = song.audio.codec if song.audio else "unknown"
        warnings.append(f"the audio {song.audio_file!r} ({codec}) was encoded as Ogg Vorbis")
        return game_audio(path)
    suffix = path.suffix.lower()
    name = f"song{suffix}" if suffix in _GAME_AUDIO_SUFFIXES else "song.ogg"
    return AudioToWrite(copied.content, copied.rate_hz, copied.frames, name)


def _cover_name(info: Mapping[str, Any]) -> str:
    names = (info.get(key) for key in ("coverImageFilename", "_coverImageFilename", "coverImagePath"))
    return next((name for name in names if isinstance(name, str) and name), "")


def _cover(folder: MapFolder, info: Mapping[str, Any], warnings: list[str]) -> tuple[str, bytes | None]:
    name = _cover_name(info)
    found = folder.find(name) if name else None
    if found is None:
        warnings.append(f"Info names the cover {name!r}, which is not in the map: a plain one is written")
        return COVER_FILE, None
    suffix = PurePosixPath(found).suffix.lower()
    return f"cover{suffix if suffix in _PICTURE_SUFFIXES else '.png'}", folder.path(found).read_bytes()


def _difficulty(item: Difficulty, tempo: TempoMap, shows: Mapping[str, Lights]) -> DifficultyToWrite:
    return DifficultyToWrite(
        item.info.characteristic,
        item.info.difficulty,
        item.parsed.objects,
        item.info.njs,
        item.info.njo or 0.0,
        item.info.requirements,
        tempo=None if same_tempo(item.tempo, tempo) else item.tempo,
        lights=shows[item.info.file],
    )


def _shows(
    folder: MapFolder, song: Song, info: Mapping[str, Any], left: Counter[str], warnings: list[str]
) -> dict[str, Lights]:
    """Return the light show of each difficulty by the name of its file; counts what each file says beyond that."""
    separate = dict(_lightshow_files(info))
    shows: dict[str, Lights] = {}
    found: dict[str, Lights] = {}
    for item in song.readable:
        name = item.info.file
        if name not in shows:
            left += uncarried_in_difficulty(_document(folder, name))
        holder = name if item.version.major < 4 else separate.get(name, "")
        if holder not in found:
            found[holder] = _show(folder, item, holder, left, warnings)
        shows[name] = found[holder]
    return shows


def _show(folder: MapFolder, item: Difficulty, holder: str, left: Counter[str], warnings: list[str]) -> Lights:
    """Return the light show in a file, an empty one where it cannot be read."""
    if not holder:
        return no_lights()
    try:
        document = _document(folder, holder)
        newer = item.version.major >= 4
        read = read_lightshow(document, holder) if newer else read_lights(document, item.version, holder)
    except BadInput as error:
        warnings.append(f"the light show of {item.info.file} is not carried: {error.reason}")
        left["light shows that cannot be read"] += 1
        return no_lights()
    left.update(read.left)
    if newer:
        left += uncarried_in_difficulty(document)
    return read.lights


def _document(folder: MapFolder, name: str) -> Any:
    found = folder.find(name)
    if found is None:
        raise BadInput(f"Info names {name!r}, which is not in the map", "add the file")
    return read_json(folder.path(found), name)


def _lightshow_files(info: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for _, entry in difficulty_entries(info):
        file, show = entry.get("beatmapDataFilename"), entry.get("lightshowDataFilename")
        if isinstance(file, str) and isinstance(show, str):
            yield file, show


def _other_files(folder: MapFolder, song: Song, info: Mapping[str, Any]) -> list[str]:
    """Return the files that nothing carried was read from; version 4's audio data is its tempo."""
    shows = [show for _, show in _lightshow_files(info)]
    data = [song.info.audio_data_file] if song.info.version.major == 4 else []
    names = [*(item.info.file for item in song.difficulties), *shows, *data, _cover_name(info)]
    used = {folder.info, song.audio_file, *(folder.find(name) for name in names if name)}
    return [path for path in folder.files if path not in used]
