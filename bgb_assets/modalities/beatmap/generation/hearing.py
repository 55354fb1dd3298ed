"""Hearing: a song decoded, its tempo settled, and its beat 0 on a beat of the music.

Bars count from the begin of the audio. Where beat 0 does not lie there, silence is put in front of it, as much as makes
it a whole number of beats later, or of bars where a tempo map says where they begin.

Belongs here: from an audio file to what the model hears. Does not belong here: estimating a tempo (`bpm`), the forms
of a given one (`tempo_file`), the transform (`features`). Next in the flow: `generate`.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.beatmap import cache, features
from bgb_assets.modalities.beatmap.audio.bpm import (
    DOUBTFUL,
    SURE,
    TempoEstimate,
    estimate_tempo,
    first_beat,
    onset_envelope,
)
from bgb_assets.modalities.beatmap.audio.canonical_wav import map_pcm16, write_pcm16
from bgb_assets.modalities.beatmap.formats.tempo import TempoMap
from bgb_assets.modalities.beatmap.generation.decoding import Song
from bgb_assets.modalities.beatmap.generation.tempo_file import MAX_BPM, MIN_BPM, PlacedTempo, steady
from bgb_assets.modalities.beatmap.sequences import vocabulary as v
from bgb_assets.modalities.beatmap.writing.lead_in import moved_tempo
from bgb_assets.runtime.errors import BadInput

_SAME_TIME_S = 0.001
_BLOCK_SAMPLES = 1 << 16


@dataclass(frozen=True)
class Heard:
    """A song as the model will hear it, its beat 0 at second 0.

    Attributes:
        pcm: int16 samples, silence in front included; a memory map.
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


@dataclass(frozen=True)
class Frames:
    """What the model, and the measures of a map, know of a song.

    Attributes:
        song: On its beat grid.
        onset: (frames,) onset strength.
        hop_s: Seconds between its frames.
    """

    song: Song
    onset: NDArray[np.float32]
    hop_s: float


def hear(song: Path, bpm: str | float, placed: PlacedTempo | None, space: Path) -> Heard:
    """Decode a song and settle its tempo.

    Args:
        song: An audio file.
        bpm: `auto`, or the tempo; the first beat is found in the audio.
        placed: A tempo map; `bpm` is then not looked at.
        space: An empty folder for what is decoded.

    Raises:
        BadInput: It cannot be decoded, is silent, or its tempo is not sure enough.
    """
    upload, decoded = space / "upload", space / "decoded"
    upload.mkdir()
    decoded.mkdir()
    (upload / song.name).symlink_to(song.resolve())
    made = cache.run({"upload": upload}, cache.CacheParams(), decoded)
    rate_hz, pcm = map_pcm16(decoded / cache.WAV_FILE)
    facts = json.loads((decoded / cache.FACTS_FILE).read_text(encoding="utf-8"))
    if facts["peak"] == 0.0:
        raise BadInput(f"{song.name}: is silent, there is nothing to map", "give a song with music")
    found, estimate = (placed, None) if placed else _tempo(song, bpm, pcm, rate_hz)
    # Who gives a tempo map knows where bars begin; of a tempo that was found, beats alone are known.
    tempo, silence_s = _from_beat_0(found, v.BEATS_PER_BAR if placed else 1)
    if silence_s:
        pcm = _behind_silence(pcm, rate_hz, silence_s, space / "behind_silence.wav")
    warnings = (*made.warnings, *_doubts(estimate))
    return Heard(pcm, rate_hz, float(facts["gain"]), tempo, estimate, silence_s, warnings)


def listen(heard: Heard, params: features.FeatureParams) -> Frames:
    """Return a song on its beat grid, with the features that the model was trained on."""
    frames = features.song_frames(heard.pcm, heard.rate_hz, heard.gain, params)
    mel = features.beat_grid(frames, heard.tempo, params)
    bars = len(mel) // v.FRAMES_PER_BAR
    return Frames(Song(mel, heard.tempo.time(np.arange(bars + 1) * v.BEATS_PER_BAR)), frames.onset, frames.hop_s)


def _tempo(
    song: Path, bpm: str | float, pcm: NDArray[np.int16], rate_hz: int
) -> tuple[PlacedTempo, TempoEstimate | None]:
    """Return a steady tempo with its first beat, and the estimate where none was given."""
    if bpm != "auto":
        given = _given_bpm(bpm)
        return PlacedTempo(steady(given), first_beat(onset_envelope(pcm, rate_hz), given)), None
    estimate = estimate_tempo(onset_envelope(pcm, rate_hz))
    if estimate.confidence < DOUBTFUL:
        raise BadInput(
            f"{song.name}: no steady tempo found (confidence {estimate.confidence:.2f}, "
            f"candidates {_listed(estimate)})",
            "give it with --bpm or --tempo-map",
        )
    return PlacedTempo(steady(estimate.bpm), estimate.first_beat_s), estimate


def _given_bpm(bpm: str | float) -> float:
    try:
        given = float(bpm)
    except ValueError:
        given = math.nan
    if not MIN_BPM <= given <= MAX_BPM:
        raise BadInput(f"bpm must be 'auto' or a number from {MIN_BPM:g} to {MAX_BPM:g}, got {bpm!r}", "correct --bpm")
    return given


def _from_beat_0(placed: PlacedTempo, unit: int) -> tuple[TempoMap, float]:
    """Return the tempo map from the begin of the audio on, and the silence that goes in front of it.

    Beat 0 becomes a beat whose number is a multiple of `unit`.
    """
    beat_s = 60.0 / float(placed.tempo.bpms[0])
    beats = unit * max(0, math.ceil((placed.offset_s / beat_s - _SAME_TIME_S) / unit))
    silence_s = beats * beat_s - placed.offset_s
    tempo = moved_tempo(placed.tempo, beats) if beats else placed.tempo
    return tempo, silence_s if silence_s >= _SAME_TIME_S else 0.0


def _behind_silence(pcm: NDArray[np.int16], rate_hz: int, silence_s: float, path: Path) -> NDArray[np.int16]:
    """Return a song behind silence, as a memory map of a file."""

    def blocks() -> Iterator[NDArray[np.int16]]:
        yield np.zeros(round(silence_s * rate_hz), np.int16)
        for start in range(0, len(pcm), _BLOCK_SAMPLES):
            yield pcm[start : start + _BLOCK_SAMPLES]

    write_pcm16(path, rate_hz, blocks())
    return map_pcm16(path)[1]


def _doubts(estimate: TempoEstimate | None) -> list[str]:
    doubts = []
    if estimate is not None and estimate.confidence < SURE:
        doubts.append(f"the tempo is not sure (confidence {estimate.confidence:.2f}); candidates: {_listed(estimate)}")
    if estimate is not None and estimate.variable:
        low, high = min(estimate.window_bpms), max(estimate.window_bpms)
        doubts.append(f"the tempo varies from {low:.2f} to {high:.2f}; a tempo map (--tempo-map) would fit better")
    return doubts


def _listed(estimate: TempoEstimate) -> str:
    return ", ".join(f"{candidate:g}" for candidate, _ in estimate.candidates)
