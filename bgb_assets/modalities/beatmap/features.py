"""Stage `features`: a song's mel spectrogram on the beat grid of each of its tempo maps, and its onset strength.

Belongs here: what is stored, in which scale and under which name. Does not belong here: the transform
(`spectrogram.py`), the interpolation (`beat_grid.py`), the tempo rules (`tempo.py`); nothing here reads a note.
Next in the flow: `notes.py` reads the onset strength, tokens and training map the mels in place.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.beatmap.audio.beat_grid import BEATS_PER_BAR, grid_beats, sample_rows, whole_bar_rows
from bgb_assets.modalities.beatmap.audio.canonical_wav import map_pcm16
from bgb_assets.modalities.beatmap.audio.spectrogram import (
    StftShape,
    band_powers,
    onset_strength,
    relative_db,
    streamed_onset_strength,
)
from bgb_assets.modalities.beatmap.cache import FACTS_FILE, WAV_FILE
from bgb_assets.modalities.beatmap.formats.tempo import TempoMap, tempo_from_json
from bgb_assets.modalities.contract import StageResult
from bgb_assets.runtime import monitoring
from bgb_assets.runtime.errors import BadInput

ONSET_FILE = "onset.npy"
FEATURES_FILE = "features.json"
TEMPO_FILE = "tempo.json"

_MAX_ROWS = 1 << 20
_MANY_FRAMES = 1 << 15
"""12 minutes and 40 seconds; few songs are longer."""
_ROWS_PER_BLOCK = 8_192


@dataclass(frozen=True)
class FeatureParams:
    """What the features depend on.

    Attributes:
        n_fft: Samples per STFT frame.
        hop_length: Samples between STFT frames.
        n_mels: Mel bands stored, 0 Hz to half the sample rate.
        onset_bands: Mel bands that the onset strength is the mean of.
        frames_per_beat: Rows of the grid per beat.
        range_db: Decibels between the loudest value and silence.
        onset_percentile: The percentile of the onset strength that becomes 1.0 in the grid.
    """

    n_fft: int = 2_048
    hop_length: int = 512
    n_mels: int = 80
    onset_bands: int = 128
    frames_per_beat: int = 16
    range_db: float = 80.0
    onset_percentile: float = 99.5


@dataclass(frozen=True)
class SongFrames:
    """A song on STFT frames.

    Attributes:
        mel_db: (frames, n_mels) decibels relative to the loudest value, -range_db to 0.
        onset: (frames,) onset strength.
        hop_s: Seconds between frames.
        seconds: Length of the audio.
    """

    mel_db: NDArray[np.float32]
    onset: NDArray[np.float32]
    hop_s: float
    seconds: float


def run(inputs: Mapping[str, Path], params: FeatureParams, out: Path) -> StageResult:
    """Write `mel_<tempo_id[:16]>.npy` for each tempo map, `onset.npy` and `features.json`.

    A tempo map that asks for more rows than a song can have gets none and a warning: it is one difficulty's fault.

    Raises:
        BadInput: Every tempo map of the song does.
    """
    cache = inputs.get("cache")
    if cache is None or not (cache / WAV_FILE).is_file():
        return StageResult(absent="no audio")
    facts = json.loads((cache / FACTS_FILE).read_text(encoding="utf-8"))
    tempo_maps = json.loads((inputs["raw"] / TEMPO_FILE).read_text(encoding="utf-8"))["tempo_maps"]
    rate_hz, pcm = map_pcm16(cache / WAV_FILE)
    song = song_frames(pcm, rate_hz, facts["gain"], params)
    np.save(out / ONSET_FILE, song.onset)
    grids, refused = {}, []
    for tempo_id in sorted(tempo_maps):
        try:
            grid = beat_grid(song, tempo_from_json(tempo_maps[tempo_id]), params)
        except BadInput as error:
            refused.append(error)
            continue
        grids[tempo_id] = {"file": mel_file(tempo_id), "rows": len(grid)}
        np.save(out / mel_file(tempo_id), grid)
    if refused and not grids:
        raise refused[0]
    described = _described(song, params, grids)
    (out / FEATURES_FILE).write_text(json.dumps(described, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    mel = hashlib.sha256("".join(_digest(out / mel_file(tempo_id)) for tempo_id in sorted(grids)).encode())
    return StageResult(
        facets={"mel": mel.hexdigest(), "onset": _digest(out / ONSET_FILE)},
        metadata={
            "frames": len(song.onset),
            "rows": {tempo_id: grid["rows"] for tempo_id, grid in grids.items()},
            "tempo_maps": len(grids),
        },
        warnings=tuple(f"a difficulty has no mel: {error.reason}; {error.remedy}" for error in refused),
    )


def mel_file(tempo_id: str) -> str:
    """Return the name of the file that holds the mel on that tempo map's grid."""
    return f"mel_{tempo_id[:16]}.npy"


def song_frames(pcm: NDArray[np.int16], rate_hz: int, gain: float, params: FeatureParams) -> SongFrames:
    """Return a song's mel spectrogram and onset strength on STFT frames.

    Args:
        pcm: The song as the cache stage stores it, scaled by `gain`.
        rate_hz: Its sample rate.
        gain: What the decoded amplitudes were multiplied by.
        params: Shapes and scales.
    """
    monitoring.count("spectrograms")
    scale = 1.0 / gain
    mels = StftShape(rate_hz, params.n_fft, params.hop_length, (params.n_mels,))
    onsets = dataclasses.replace(mels, bands=(params.onset_bands,))
    if mels.frames(len(pcm)) > _MANY_FRAMES:
        # Three transforms instead of one, the same values: the onset bands would be more than all the rest.
        onset = streamed_onset_strength(pcm, scale, onsets, params.range_db)
        (mel,) = band_powers(pcm, scale, mels)
    else:
        mel, powers = band_powers(pcm, scale, dataclasses.replace(mels, bands=mels.bands + onsets.bands))
        onset = onset_strength(powers, onsets, params.range_db)
    return SongFrames(
        mel_db=relative_db(mel, params.range_db, out=mel),
        onset=onset,
        hop_s=params.hop_length / rate_hz,
        seconds=len(pcm) / rate_hz,
    )


def beat_grid(song: SongFrames, tempo: TempoMap, params: FeatureParams) -> NDArray[np.float16]:
    """Return a song on a tempo map's beat grid, (rows, n_mels + 1), values in [0, 1]; 0 is silence.

    The last column is the onset strength over its percentile, clipped. The rows fill whole bars.

    Raises:
        BadInput: The tempo map asks for more rows than a song can have.
    """
    rows = whole_bar_rows(float(tempo.beat(song.seconds)), params.frames_per_beat)
    if rows > _MAX_ROWS:
        limit = _MAX_ROWS // (params.frames_per_beat * BEATS_PER_BAR)
        raise BadInput(
            f"{song.seconds:.1f} s of audio are {rows // (params.frames_per_beat * BEATS_PER_BAR)} bars by the tempo "
            f"map, more than {limit}; its fastest tempo is {tempo.bpms.max():g} BPM",
            "mend the map's BPM or its BPM changes",
        )
    times_s = tempo.time(grid_beats(rows, params.frames_per_beat))
    level = _onset_level(song.onset, params.onset_percentile)
    grid = np.empty((rows, song.mel_db.shape[1] + 1), np.float16)
    for start in range(0, rows, _ROWS_PER_BLOCK):
        piece = slice(start, start + _ROWS_PER_BLOCK)
        db = sample_rows(song.mel_db, times_s[piece], song.hop_s, song.seconds, -params.range_db)
        grid[piece, :-1] = (db + np.float32(params.range_db)) / np.float32(params.range_db)
        onset = sample_rows(song.onset, times_s[piece], song.hop_s, song.seconds, 0.0)
        grid[piece, -1] = np.clip(onset / level, 0.0, 1.0)
    return grid


def _described(song: SongFrames, params: FeatureParams, grids: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "frames": len(song.onset),
        "frames_per_beat": params.frames_per_beat,
        "hop_s": song.hop_s,
        "seconds": song.seconds,
        "tempo_maps": grids,
    }


def _onset_level(onset: NDArray[np.float32], percentile: float) -> np.float32:
    """Return what becomes 1.0: the percentile, or the highest peak of a song that hardly ever sounds."""
    level = np.float32(np.percentile(onset, percentile)) or np.float32(onset.max())
    return level or np.float32(1.0)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
