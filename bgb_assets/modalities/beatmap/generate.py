"""Generation: any song in, a map with the difficulties asked for out, ready for the game.

Belongs here: from audio to the exported map, and the report. Does not belong here: choosing tokens (`decoding`), the
tempo's estimate (`bpm`), file formats (`export`). Bars count from the audio's first sample; where its first beat is
later, silence is put in front, so that beat 0 lies on a beat of the music.
"""

import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.beatmap import cache, decoding, features, model
from bgb_assets.modalities.beatmap import vocabulary as v
from bgb_assets.modalities.beatmap.bpm import DOUBTFUL, SURE, TempoEstimate, estimate_tempo, first_beat, onset_envelope
from bgb_assets.modalities.beatmap.canonical_wav import map_pcm16
from bgb_assets.modalities.beatmap.export import (
    AudioToWrite,
    DifficultyToWrite,
    Format,
    SongToWrite,
    render_map,
    write_folder,
    write_zip,
)
from bgb_assets.modalities.beatmap.export_audio import game_audio
from bgb_assets.modalities.beatmap.naming import difficulty_name
from bgb_assets.modalities.beatmap.network import Network
from bgb_assets.modalities.beatmap.objects import KINDS, Columns
from bgb_assets.modalities.beatmap.parity import Repaired, repair_parity
from bgb_assets.modalities.beatmap.quality import MapQuality, measure
from bgb_assets.modalities.beatmap.tempo import TempoMap, tempo_from_events
from bgb_assets.modalities.beatmap.tokenizer import decode
from bgb_assets.modalities.beatmap.variants import WindowParams
from bgb_assets.runtime.errors import BadInput, ContractError

FIRST_NOTE_S = 2.0
"""Players need this long before the first note."""

_MIN_NOTES = 1
_SAME_BEAT_S = 0.001


@dataclass(frozen=True)
class Written:
    """One difficulty of a generated map.

    Attributes:
        difficulty: Its name.
        asked_nps: The pace asked for, None for none.
        turned_notes: Notes that got another direction, so that a hand can play them.
        quality: Its measures.
    """

    difficulty: str
    asked_nps: float | None
    turned_notes: int
    quality: MapQuality


@dataclass(frozen=True)
class Report:
    """What was written.

    Attributes:
        out: The zip or folder.
        bpm: Tempo at the beginning.
        tempo: The estimate, where the tempo was not given.
        silence_s: Silence put in front of the audio.
        difficulties: One entry each, in the order asked for.
        warnings: Sentences a person should read.
    """

    out: Path
    bpm: float
    tempo: TempoEstimate | None
    silence_s: float
    difficulties: tuple[Written, ...]
    warnings: tuple[str, ...]

    def lines(self) -> list[str]:
        """Return the report for a terminal."""
        sure = "" if self.tempo is None else f" (confidence {self.tempo.confidence:.2f})"
        lines = [f"{self.out}: {self.bpm:.3f} BPM{sure}, {self.silence_s:.3f} s of silence put in front"]
        for one in self.difficulties:
            asked = "" if one.asked_nps is None else f" of {one.asked_nps:g} asked for"
            lines.append(f"{one.difficulty}: {one.quality.notes} notes, {one.quality.nps:.2f} notes/s{asked}, ")
            lines[-1] += f"parity violations {one.quality.parity_rate:.1%} ({one.turned_notes} notes turned), "
            lines[-1] += f"onset F1 {one.quality.onset_f1:.2f}"
        return lines + [f"warning: {warning}" for warning in self.warnings]


def generate(
    song: Path,
    model_dir: Path,
    difficulties: Sequence[str],
    *,
    out: Path,
    bpm: str | float = "auto",
    tempo: TempoMap | None = None,
    nps: float | None = None,
    seed: int = 0,
    version: str = "v3",
    characteristic: str = "Standard",
    sampling: decoding.Sampling | None = None,
    repair: bool = True,
) -> Report:
    """Write a map for a song: a zip where `out` ends in `.zip`, else a folder. Equal arguments give equal bytes.

    Args:
        song: An audio file of any length.
        model_dir: A trained model.
        difficulties: Names; `Expert`, `expert+` and the like are understood.
        out: The zip or folder to write.
        bpm: `auto`, or the tempo; the first beat is found in the audio.
        tempo: A tempo map whose beat 0 is at the audio's first sample; `bpm` is then not looked at.
        nps: Notes per second to keep, the same for all difficulties; None leaves it to the model.
        seed: Of all choices.
        version: `v2`, `v3` or `v4`.
        characteristic: `Standard`, `OneSaber` or `NoArrows`.
        sampling: How tokens are chosen.
        repair: Turn notes that a hand could not play.

    Raises:
        BadInput: The audio cannot be decoded, is silent, or has no tempo that can be trusted; a name is unknown.
        TrainingError: The directory is no model of this vocabulary.
    """
    requests = [decoding.Request(_canonical(name), characteristic, nps) for name in difficulties]
    loaded = model.load(model_dir)
    if not isinstance(loaded.model, Network):
        raise ContractError(f"{model_dir}: expected a beatmap network, got {type(loaded.model).__name__}")
    with tempfile.TemporaryDirectory(prefix="bgb-generate-") as space:
        heard = hear(song, bpm, tempo, Path(space))
        window = WindowParams(**loaded.config["params"]["window"])
        kinds = loaded.config["upstream"]["tokens"]["kinds"]
        frames = _frames(heard, loaded.config.get("lineage", {}))
        sequences = decoding.write_song(loaded.model, frames, requests, window, kinds, seed, sampling)
        drafts = [decode(sequence) for sequence in sequences]
        _refuse_empty(song, requests, drafts)
        repaired = [_repaired(one, heard.tempo, repair) for one in drafts]
        maps = [one.objects for one in repaired]
        delay_beats = _beats_to_wait(maps, heard.tempo)
        delayed, shifted = _delayed_tempo(heard.tempo, delay_beats), [_delayed(one, delay_beats) for one in maps]
        silence_s = heard.silence_s + float(delayed.time(delay_beats))
        _write(out, song, requests, shifted, delayed, _audio(song, silence_s, Path(space)), version)
    onsets_s = heard.onset_peaks_s + float(delayed.time(delay_beats))
    written = tuple(
        Written(request.difficulty, request.notes_per_s, mended.changed, measure(one, delayed, onsets_s))
        for request, mended, one in zip(requests, repaired, shifted, strict=True)
    )
    return Report(out, float(delayed.bpms[0]), heard.estimate, silence_s, written, heard.warnings)


@dataclass(frozen=True)
class Heard:
    """A song as the model will hear it, its first beat at 0.

    Attributes:
        pcm: int16 samples, silence in front included.
        rate_hz: Their rate.
        gain: What amplitudes were multiplied by.
        tempo: The tempo map.
        estimate: Where it was estimated.
        silence_s: Silence in front.
        warnings: Sentences a person should read.
    """

    pcm: NDArray[np.int16]
    rate_hz: int
    gain: float
    tempo: TempoMap
    estimate: TempoEstimate | None
    silence_s: float
    warnings: tuple[str, ...]

    @property
    def onset_peaks_s(self) -> NDArray[np.float64]:
        """Seconds of the peaks of the onset strength."""
        import librosa

        envelope = onset_envelope(self.pcm, self.rate_hz)
        peaks = librosa.onset.onset_detect(onset_envelope=envelope.strength, sr=1.0 / envelope.hop_s, hop_length=1)
        return np.asarray(peaks, np.float64) * envelope.hop_s


def hear(song: Path, bpm: str | float, tempo: TempoMap | None, space: Path) -> Heard:
    """Decode a song and settle its tempo.

    Raises:
        BadInput: It cannot be decoded, is silent, or its tempo is not sure enough.
    """
    upload, decoded = space / "upload", space / "decoded"
    upload.mkdir()
    decoded.mkdir()
    (upload / song.name).symlink_to(song.resolve())
    made = cache.run({"upload": upload}, cache.CacheParams(), decoded)
    rate_hz, pcm = map_pcm16(decoded / cache.WAV_FILE)
    if not pcm.any():
        raise BadInput(f"{song.name}: is silent, there is nothing to map", "give a song with music")
    gain = float(json.loads((decoded / cache.FACTS_FILE).read_text(encoding="utf-8"))["gain"])
    if tempo is not None:
        return Heard(np.asarray(pcm), rate_hz, gain, tempo, None, 0.0, made.warnings)
    found, start_s, estimate = _tempo(song, bpm, pcm, rate_hz)
    silence_s = 0.0 if start_s < _SAME_BEAT_S else 60.0 / found - start_s
    front = np.zeros(round(silence_s * rate_hz), np.int16)
    warnings = (*made.warnings, *_doubts(estimate))
    steady = tempo_from_events(found, [], []).tempo
    return Heard(np.concatenate([front, pcm]), rate_hz, gain, steady, estimate, silence_s, warnings)


def _tempo(
    song: Path, bpm: str | float, pcm: NDArray[np.int16], rate_hz: int
) -> tuple[float, float, TempoEstimate | None]:
    """Return beats per minute, the first beat, and the estimate where none was given."""
    envelope = onset_envelope(pcm, rate_hz)
    if bpm != "auto":
        given = _given_bpm(bpm)
        return given, first_beat(envelope, given), None
    estimate = estimate_tempo(envelope)
    if estimate.confidence < DOUBTFUL:
        listed = ", ".join(f"{candidate:g}" for candidate, _ in estimate.candidates)
        raise BadInput(
            f"{song.name}: no steady tempo found (confidence {estimate.confidence:.2f}, candidates {listed})",
            "give it with --bpm or --tempo-map",
        )
    return estimate.bpm, estimate.first_beat_s, estimate


def _given_bpm(bpm: str | float) -> float:
    try:
        given = float(bpm)
    except ValueError:
        given = math.nan
    if not 30.0 <= given <= 500.0:
        raise BadInput(f"bpm must be 'auto' or a number from 30 to 500, got {bpm!r}", "correct --bpm")
    return given


def _doubts(estimate: TempoEstimate | None) -> list[str]:
    doubts = []
    if estimate is not None and estimate.confidence < SURE:
        listed = ", ".join(f"{candidate:g}" for candidate, _ in estimate.candidates)
        doubts.append(f"the tempo is not sure (confidence {estimate.confidence:.2f}); candidates: {listed}")
    if estimate is not None and estimate.variable:
        low, high = min(estimate.window_bpms), max(estimate.window_bpms)
        doubts.append(f"the tempo varies from {low:.2f} to {high:.2f}; a tempo map (--tempo-map) would fit better")
    return doubts


def _frames(heard: Heard, lineage: Mapping[str, Any]) -> decoding.Song:
    """Return the song on its beat grid, with the features that the model was trained on."""
    params = features.FeatureParams(**lineage.get("features", {}).get("params", {}))
    frames = features.song_frames(heard.pcm, heard.rate_hz, heard.gain, params)
    mel = features.beat_grid(frames, heard.tempo, params)
    bars = len(mel) // v.FRAMES_PER_BAR
    return decoding.Song(mel, heard.tempo.time(np.arange(bars + 1) * v.BEATS_PER_BAR))


def _refuse_empty(song: Path, requests: Sequence[decoding.Request], maps: Sequence[Mapping[str, Columns]]) -> None:
    for request, one in zip(requests, maps, strict=True):
        if len(one["notes"]["beat"]) < _MIN_NOTES:
            raise BadInput(
                f"{song.name}: the model wrote no note for {request.difficulty}",
                "ask for a pace with --nps, another seed, or use a model that was trained longer",
            )


def _repaired(objects: Mapping[str, Columns], tempo: TempoMap, repair: bool) -> Repaired:
    return repair_parity(objects, tempo.time(objects["notes"]["beat"])) if repair else Repaired(dict(objects), 0)


def _beats_to_wait(maps: Sequence[Mapping[str, Columns]], tempo: TempoMap) -> int:
    """Return the whole beats of silence that let every map begin no earlier than 2 s."""
    first = min(float(columns["beat"].min()) for one in maps for columns in one.values() if len(columns["beat"]))
    early_s = FIRST_NOTE_S - float(tempo.time(first))
    return max(0, math.ceil(early_s * float(tempo.bpms[0]) / 60.0 - 1e-9))


def _delayed_tempo(tempo: TempoMap, beats: int) -> TempoMap:
    """Return the map with beats of its first tempo put in front."""
    if not beats:
        return tempo
    return tempo_from_events(float(tempo.bpms[0]), tempo.beats[1:] + beats, tempo.bpms[1:]).tempo


def _delayed(objects: Mapping[str, Columns], beats: int) -> dict[str, Columns]:
    moved = ("beat", "tail_beat")
    return {
        kind: {name: column + beats if name in moved else column for name, column in objects[kind].items()}
        for kind in KINDS
    }


def _audio(song: Path, silence_s: float, space: Path) -> AudioToWrite:
    """Return the song for the game, copied where nothing goes in front of it."""
    if not silence_s:
        return game_audio(song)
    import soundfile

    padded = space / "padded.wav"
    with soundfile.SoundFile(song) as source:
        channels, rate_hz = source.channels, source.samplerate
        with soundfile.SoundFile(padded, "w", rate_hz, channels, subtype="FLOAT") as target:
            target.write(np.zeros((round(silence_s * rate_hz), channels), np.float32))
            for block in source.blocks(1 << 16, dtype="float32", always_2d=True):
                target.write(block)
    return game_audio(padded)


def _write(
    out: Path,
    song: Path,
    requests: Sequence[decoding.Request],
    maps: Sequence[Mapping[str, Columns]],
    tempo: TempoMap,
    audio: AudioToWrite,
    version: str,
) -> None:
    difficulties = tuple(
        DifficultyToWrite(request.characteristic, request.difficulty, one)
        for request, one in zip(requests, maps, strict=True)
    )
    rendered = render_map(SongToWrite(song.stem, tempo, difficulties, audio=audio), _format(version))
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix.lower() == ".zip":
        write_zip(rendered, out)
    else:
        write_folder(rendered, out)


def _format(version: str) -> Format:
    known: dict[str, Format] = {"v2": "v2", "v3": "v3", "v4": "v4"}
    if version not in known:
        raise BadInput(f"map format must be one of {', '.join(known)}, got {version!r}", "correct --format")
    return known[version]


def _canonical(name: str) -> str:
    found = difficulty_name(name)
    if found is None:
        raise BadInput(f"unknown difficulty {name!r}", "choose from Easy, Normal, Hard, Expert, ExpertPlus")
    return found
