"""Generation: any song in, a map with the difficulties asked for out, ready for the game.

Belongs here: what one may wish for, and the way from audio to the exported map. Does not belong here: the song's tempo
and frames (`hearing`), choosing tokens (`decoding`), file formats (`export`).
"""

import dataclasses
import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.beatmap import features, model
from bgb_assets.modalities.beatmap.audio.onset_peaks import onset_peaks
from bgb_assets.modalities.beatmap.formats.naming import DIFFICULTIES, difficulty_name
from bgb_assets.modalities.beatmap.formats.objects import Columns
from bgb_assets.modalities.beatmap.formats.tempo import TempoMap
from bgb_assets.modalities.beatmap.generation import decoding
from bgb_assets.modalities.beatmap.generation.generation_report import Report, Written
from bgb_assets.modalities.beatmap.generation.hearing import Frames, Heard, hear, listen
from bgb_assets.modalities.beatmap.generation.pace_file import MAX_NPS, PaceCurve
from bgb_assets.modalities.beatmap.generation.pen import Sampling
from bgb_assets.modalities.beatmap.generation.tempo_file import PlacedTempo
from bgb_assets.modalities.beatmap.learning.network import Network
from bgb_assets.modalities.beatmap.learning.variants import WindowParams
from bgb_assets.modalities.beatmap.measures.parity import Repaired, repair_parity
from bgb_assets.modalities.beatmap.measures.quality import measure
from bgb_assets.modalities.beatmap.measures.seams import seam_ratio
from bgb_assets.modalities.beatmap.sequences import vocabulary as v
from bgb_assets.modalities.beatmap.sequences.tokenizer import decode
from bgb_assets.modalities.beatmap.writing.export import FORMATS, Format, render_map, write_folder, write_zip
from bgb_assets.modalities.beatmap.writing.export_audio import game_audio
from bgb_assets.modalities.beatmap.writing.lead_in import MIN_FIRST_NOTE_S, moved_objects, moved_tempo
from bgb_assets.modalities.beatmap.writing.lights import Lights, simple_lights
from bgb_assets.modalities.beatmap.writing.song_to_write import DifficultyToWrite, SongToWrite
from bgb_assets.runtime.errors import BadInput, ContractError
from bgb_assets.training.model_directory import LoadedModel

CHARACTERISTICS = ("Standard", "OneSaber", "NoArrows")
"""Those whose rules the grammar knows; others need events that no token stands for."""
LIGHTS = ("none", "simple")

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Wish:
    """What is asked of a map.

    Attributes:
        difficulties: Names; `Expert`, `expert+` and the like are understood.
        characteristic: `Standard`, `OneSaber` or `NoArrows`.
        nps: Notes per second to keep, the same for all difficulties; None leaves it to the model.
        bpm: `auto`, or the tempo; the first beat is found in the audio.
        tempo: A tempo map; `bpm` is then not looked at.
        seed: Of all choices.
        sampling: How tokens are chosen.
        repair: Turn notes that a hand could not play.
        version: `v2`, `v3` or `v4`.
        njs: Jump speed; None for that of each difficulty.
        lights: `none` or `simple`.
    """

    difficulties: Sequence[str]
    characteristic: str = "Standard"
    nps: float | PaceCurve | None = None
    bpm: str | float = "auto"
    tempo: PlacedTempo | None = None
    seed: int = 0
    sampling: Sampling = field(default_factory=Sampling)
    repair: bool = True
    version: str = "v3"
    njs: float | None = None
    lights: str = "none"

    def checked(self) -> "Wish":
        """Return the wish with canonical names.

        Raises:
            BadInput: Something that is unknown, or a number out of its range.
        """
        names = tuple(_difficulty(name) for name in self.difficulties)
        if not names or len(set(names)) < len(names):
            raise BadInput(f"difficulties must be named once each, got {list(names)!r}", "correct --difficulty")
        _check_choice("map format", self.version, FORMATS, "--format")
        _check_choice("characteristic", self.characteristic, CHARACTERISTICS, "--characteristic")
        _check_choice("lights", self.lights, LIGHTS, "--lights")
        if isinstance(self.nps, float | int):
            _check_above_0("nps", self.nps, MAX_NPS)
        if self.njs is not None:
            _check_above_0("njs", self.njs, MAX_NPS)
        return dataclasses.replace(self, difficulties=names)

    def requests(self, bars: int) -> list[decoding.Request]:
        """Return what is asked of the network, for a song of so many bars."""
        pace = self.nps.of_bars(bars).tolist() if isinstance(self.nps, PaceCurve) else self.nps
        return [decoding.Request(name, self.characteristic, pace) for name in self.difficulties]


def generate(song: Path, model_dir: Path, wish: Wish, out: Path) -> Report:
    """Write a map for a song: a zip where `out` ends in `.zip`, else a folder. Equal arguments give equal bytes.

    Args:
        song: An audio file of any length.
        model_dir: A trained model.
        wish: What is asked for.
        out: The zip or folder to write.

    Raises:
        BadInput: The audio cannot be decoded, is silent, or has no tempo that can be trusted; a wish is impossible.
        TrainingError: The directory is no model of this vocabulary.
    """
    wish = wish.checked()
    loaded = model.load(model_dir)
    with tempfile.TemporaryDirectory(prefix="bgb-generate-") as space:
        heard = hear(song, wish.bpm, wish.tempo, Path(space))
        trained_on = loaded.config.get("lineage", {}).get("features", {}).get("params", {})
        frames = listen(heard, features.FeatureParams(**trained_on))
    repaired = [_repaired(one, heard.tempo, wish.repair) for one in _drafts(song, loaded, frames, wish)]
    window = WindowParams(**loaded.config["params"]["window"])
    line = _placed([one.objects for one in repaired], heard, frames, window)
    maps = [moved_objects(one.objects, line.beats) for one in repaired]
    _write(song, wish, maps, line, frames, out)
    written = tuple(
        _written(name, wish, line, mended.changed, objects)
        for name, mended, objects in zip(wish.difficulties, repaired, maps, strict=True)
    )
    warnings = (*heard.warnings, *(doubt for one in written for doubt in one.doubts()))
    return Report(out, float(line.tempo.bpms[0]), heard.estimate, line.silence_s, line.seam_beats, written, warnings)


def _drafts(song: Path, loaded: LoadedModel, frames: Frames, wish: Wish) -> Sequence[Mapping[str, Columns]]:
    """Return the objects of each difficulty as the network wrote them."""
    if not isinstance(loaded.model, Network):
        raise ContractError(f"expected a beatmap network, got {type(loaded.model).__name__}")
    sequences = decoding.write_song(
        loaded.model,
        frames.song,
        wish.requests(frames.song.bars),
        WindowParams(**loaded.config["params"]["window"]),
        loaded.config["upstream"]["tokens"]["kinds"],
        wish.seed,
        wish.sampling,
    )
    drafts = [decode(sequence) for sequence in sequences]
    for name, one in zip(wish.difficulties, drafts, strict=True):
        if not len(one["notes"]["beat"]):
            raise BadInput(
                f"{song.name}: the model wrote no note for {name}",
                "ask for a pace with --nps, another seed, or use a model that was trained longer",
            )
    return drafts


@dataclass(frozen=True)
class _Timeline:
    """Where a map lies, behind the beats that players need before its first note.

    Attributes:
        tempo: Of the map.
        beats: Beats that were put in front.
        silence_s: Silence in front of the audio file.
        waited_s: The part of it that those beats are.
        song: What was heard, without those beats.
        seam_beats: Where one window of the generation gives way to the next.
        peaks_s: Peaks of the onset strength.
    """

    tempo: TempoMap
    beats: int
    silence_s: float
    waited_s: float
    song: decoding.Song
    seam_beats: tuple[float, ...]
    peaks_s: NDArray[np.float64]


def _placed(maps: Sequence[Mapping[str, Columns]], heard: Heard, frames: Frames, window: WindowParams) -> _Timeline:
    """Return the timeline on which no map has an object in its first 2 s."""
    first = min(float(columns["beat"].min()) for one in maps for columns in one.values() if len(columns["beat"]))
    early_s = MIN_FIRST_NOTE_S - float(heard.tempo.time(first))
    beats = max(0, math.ceil(early_s * float(heard.tempo.bpms[0]) / 60.0 - _ROUNDING))
    tempo = moved_tempo(heard.tempo, beats) if beats else heard.tempo
    waited_s = float(tempo.time(beats))
    return _Timeline(
        tempo=tempo,
        beats=beats,
        silence_s=heard.silence_s + waited_s,
        waited_s=waited_s,
        song=frames.song,
        seam_beats=tuple(float(bar * v.BEATS_PER_BAR + beats) for bar in decoding.seam_bars(frames.song.bars, window)),
        peaks_s=onset_peaks(frames.onset, frames.hop_s) + waited_s,
    )


def _repaired(objects: Mapping[str, Columns], tempo: TempoMap, repair: bool) -> Repaired:
    return repair_parity(objects, tempo.time(objects["notes"]["beat"])) if repair else Repaired(dict(objects), 0)


def _written(name: str, wish: Wish, line: _Timeline, turned: int, objects: Mapping[str, Columns]) -> Written:
    """Measure one difficulty as it is in the map."""
    times_s = line.tempo.time(objects["notes"]["beat"])
    (request,) = dataclasses.replace(wish, difficulties=(name,)).requests(line.song.bars)
    wanted = request.wanted(line.song)
    first_s, last_s = float(times_s.min()) - line.waited_s, float(times_s.max()) - line.waited_s
    return Written(
        difficulty=name,
        asked_nps=None if wanted is None else wanted.between(first_s, last_s),
        turned_notes=turned,
        seam_ratio=seam_ratio(objects["notes"], times_s, line.seam_beats),
        quality=measure(objects, line.tempo, line.peaks_s),
    )


def _write(
    song: Path, wish: Wish, maps: Sequence[Mapping[str, Columns]], line: _Timeline, frames: Frames, out: Path
) -> None:
    to_write = SongToWrite(
        song.stem,
        line.tempo,
        tuple(
            DifficultyToWrite(wish.characteristic, name, one, njs=wish.njs)
            for name, one in zip(wish.difficulties, maps, strict=True)
        ),
        audio=game_audio(song, line.silence_s),
        lights=_lights(wish, line, frames),
    )
    rendered = render_map(to_write, _format(wish.version))
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix.lower() == ".zip":
        write_zip(rendered, out)
    else:
        write_folder(rendered, out)


def _lights(wish: Wish, line: _Timeline, frames: Frames) -> Lights | None:
    """Return the light show that was asked for; it begins with the map."""
    if wish.lights == "none":
        return None
    in_front = np.zeros(round(line.waited_s / frames.hop_s), np.float32)
    return simple_lights(np.concatenate([in_front, frames.onset]), frames.hop_s, line.tempo)


def _format(version: str) -> Format:
    return next(known for known in FORMATS if known == version)


def _difficulty(name: str) -> str:
    found = difficulty_name(name)
    if found is None:
        raise BadInput(f"unknown difficulty {name!r}", f"choose from {', '.join(DIFFICULTIES)}")
    return found


def _check_choice(what: str, given: str, known: Sequence[str], option: str) -> None:
    if given not in known:
        raise BadInput(f"{what} must be one of {', '.join(known)}, got {given!r}", f"correct {option}")


def _check_above_0(name: str, number: float, most: float) -> None:
    if not 0.0 < number <= most:
        raise BadInput(f"{name} must be above 0, up to {most:g}, got {number!r}", f"correct --{name}")
