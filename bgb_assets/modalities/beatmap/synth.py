"""Made-up uploads: songs that are music enough to map, with maps that are play enough to learn from.

Belongs here: whole uploads on disk, with the truth about them, and the click track that tests pair real maps with.
Does not belong here: composing (`synth_score.py`), playing (`synth_sound.py`), mapping (`synth_map.py`) and the
JSON (`synth_files.py`). Song i of a seed is the same whatever n is.
"""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.beatmap.audio import ogg
from bgb_assets.modalities.beatmap.formats.tempo import TempoMap
from bgb_assets.modalities.beatmap.synthetic.synth_files import AUDIO_FILE, write_map
from bgb_assets.modalities.beatmap.synthetic.synth_map import MANNERS, Map, draw_map
from bgb_assets.modalities.beatmap.synthetic.synth_score import Score, compose
from bgb_assets.modalities.beatmap.synthetic.synth_sound import play

_SERIAL = 0x6267_6261
_BLOCK_SAMPLES = 1 << 16
_CLICK_HZ = 2_000.0
_CLICK_S = 0.004


def synth(out: Path, n: int, seed: int) -> Mapping[str, Any]:
    """Write n uploads `song_0000`, `song_0001`, ... below `out`, each a folder with Info, two or three
    difficulties and an Ogg Vorbis song of about 24 s.

    Every third song changes its tempo; schemas 2 and 3 alternate; every fourth song has 44.1 kHz, the others 22.05.
    Files are equal to the byte for the same seed and encoder version; map files for the same seed.

    Returns:
        `songs`: for each song its `path`, `rate_hz`, `seconds`, `bpm`, `changes` (beat, bpm), `major_version`, and by
        difficulty the seconds of its notes in `note_times_s`.
    """
    return {"seed": seed, "songs": [_write_song(out, index, seed) for index in range(n)]}


def click_track(tempo: TempoMap, seconds: float, rate_hz: int) -> NDArray[np.float32]:
    """Return mono samples with a click of 4 ms, its middle exactly at each beat from 0 on."""
    samples = np.zeros(round(seconds * rate_hz), np.float32)
    half = round(_CLICK_S * rate_hz / 2)
    t = np.arange(-half, half + 1) / rate_hz
    click = (0.8 * np.cos(2.0 * np.pi * _CLICK_HZ * t) * np.hanning(len(t))).astype(np.float32)
    for at_s in tempo.time(np.arange(max(0, int(np.floor(tempo.beat(seconds))) + 1))):
        start = round(float(at_s) * rate_hz) - half
        low, high = max(0, start), min(len(samples), start + len(click))
        if low < high:
            samples[low:high] += click[low - start : high - start]
    return samples


def write_ogg(path: Path, samples: NDArray[np.float32], rate_hz: int, quality: float = 0.3) -> None:
    """Write samples (n,) or (n, channels) in [-1, 1] as Ogg Vorbis, equal bytes for equal samples.

    Args:
        path: Where to; the suffix does not matter.
        samples: The sound.
        rate_hz: Its sample rate.
        quality: The encoder's, 0 to 1.
    """
    import soundfile

    buffer = io.BytesIO()
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    with soundfile.SoundFile(
        buffer, "w", rate_hz, channels, format="OGG", subtype="VORBIS", compression_level=1.0 - quality
    ) as file:
        # The encoder keeps a written block on its stack: a whole song at once would overflow it.
        for start in range(0, len(samples), _BLOCK_SAMPLES):
            file.write(samples[start : start + _BLOCK_SAMPLES])
    path.write_bytes(_with_serial(buffer.getvalue()))


def _with_serial(stream: bytes) -> bytes:
    """Replace the stream's serial number, which libsndfile draws at random: equal sound must be equal bytes."""
    return b"".join(
        ogg.assemble_page(page.lacing, stream[page.start : page.end], page.granule, _SERIAL, number, page.flags)
        for number, page in enumerate(ogg.pages(stream))
    )


def _write_song(out: Path, index: int, seed: int) -> dict[str, Any]:
    # A stream each, so that another way of mapping leaves the music as it is.
    music, mapping, noise = (np.random.default_rng([seed, index, part]) for part in range(3))
    score = compose(music, with_changes=index % 3 == 2)
    maps = {manner.name: draw_map(score, manner, mapping) for manner in MANNERS[index % 2 :]}
    folder = out / f"song_{index:04d}"
    folder.mkdir(parents=True)
    major_version, rate_hz = 2 + index % 2, 44_100 if index % 4 == 3 else 22_050
    samples = play(score, rate_hz, noise)
    write_map(folder, f"Synth {seed}-{index:04d}", score, maps, major_version)
    write_ogg(folder / AUDIO_FILE, samples, rate_hz)
    return {
        "path": folder.name,
        "rate_hz": rate_hz,
        "seconds": len(samples) / rate_hz,
        "bpm": score.bpm,
        "changes": [list(change) for change in score.changes],
        "major_version": major_version,
        "note_times_s": {difficulty: _note_times_s(score, drawn) for difficulty, drawn in maps.items()},
    }


def _note_times_s(score: Score, drawn: Map) -> list[float]:
    times: list[float] = score.tempo.time([note.beat for note in drawn.notes]).tolist()
    return times
