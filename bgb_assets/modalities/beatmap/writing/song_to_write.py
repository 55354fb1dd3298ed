"""What a map is written from: a song with its difficulties, audio, lights and cover.

Belongs here: these records. Does not belong here: files of any version (`export` and what it calls).
"""

from dataclasses import dataclass

from bgb_assets.modalities.beatmap.formats.objects import Objects
from bgb_assets.modalities.beatmap.formats.tempo import TempoMap
from bgb_assets.modalities.beatmap.writing.lights import Lights

COVER_FILE = "cover.png"
ENVIRONMENTS = ("DefaultEnvironment", "GlassDesertEnvironment")
"""The stage where none is named, and the one for difficulties that turn the player."""


@dataclass(frozen=True)
class DifficultyToWrite:
    """One difficulty to write.

    Attributes:
        characteristic: `Standard` and the like.
        difficulty: One of `DIFFICULTIES`.
        objects: Canonical objects.
        njs: Jump speed; None for that of `JUMP_SPEEDS`.
        njo: Jump offset in beats.
        requirements: Names of what the game needs to play it.
        tempo: Its own tempo map; None for the song's.
        lights: Its own light show; None for the song's.
    """

    characteristic: str
    difficulty: str
    objects: Objects
    njs: float | None = None
    njo: float = 0.0
    requirements: tuple[str, ...] = ()
    tempo: TempoMap | None = None
    lights: Lights | None = None


@dataclass(frozen=True)
class AudioToWrite:
    """The song's audio as the game loads it.

    Attributes:
        content: Bytes of an Ogg Vorbis file.
        rate_hz: Its sample rate.
        frames: Its length in samples.
        file: Its name in the map.
    """

    content: bytes
    rate_hz: int
    frames: int
    file: str = "song.ogg"


@dataclass(frozen=True)
class SongToWrite:
    """One song to write.

    Attributes:
        title: And the texts that follow: as players see them.
        tempo: The tempo map of all difficulties that have none of their own.
        difficulties: In any order.
        audio: None writes a map without audio, which names `song.ogg`.
        cover: Bytes of a picture; None for a plain one.
        cover_file: Its name, with the suffix that fits its content.
        lights: The light show of all difficulties that have none of their own, on the beats of `tempo`; None for a
            dark stage.
        preview_s: Where the part begins that is played in menus, and how long it is.
        environments: The stage, and the one for difficulties that turn the player.
        song_time_offset_s: Old games moved the song by it; version 4 has no such thing.
        shuffle: Old games moved every second note by it, in the units of `shuffle_period`; neither has version 4.
        shuffle_period: See `shuffle`.
    """

    title: str
    tempo: TempoMap
    difficulties: tuple[DifficultyToWrite, ...]
    subtitle: str = ""
    artist: str = ""
    mappers: tuple[str, ...] = ()
    audio: AudioToWrite | None = None
    cover: bytes | None = None
    cover_file: str = COVER_FILE
    lights: Lights | None = None
    preview_s: tuple[float, float] = (0.0, 10.0)
    environments: tuple[str, str] = ENVIRONMENTS
    song_time_offset_s: float = 0.0
    shuffle: float = 0.0
    shuffle_period: float = 0.5
