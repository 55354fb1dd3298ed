"""Same recording over a corpus: all songs joined hash by hash, against comparing every two of them.

Songs are made up as landmarks: chords and runs on a keyboard of 60 keys at one of 40 tempos, a tenth of them a second
encode of another (a third of the peaks lost, shifted). Comparing every two is timed on a part of the pairs that is
large enough, and scaled. The cache's share is timed on three minutes of made-up music.

    python -m bgb_assets_tests.benchmarks.bench_beatmap_recordings [--small] [--songs 5000] [--repeats 3]
"""

import argparse
import itertools
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from bgb_assets.modalities.beatmap.audio import landmarks
from bgb_assets.modalities.beatmap.audio.landmarks import Landmarks, find_landmarks
from bgb_assets.modalities.beatmap.audio.recordings import compare, find_pairs
from bgb_assets.modalities.beatmap.cache import CacheParams, decode
from bgb_assets.modalities.beatmap.synth import write_ogg
from bgb_assets.modalities.beatmap.synthetic.synth_score import compose
from bgb_assets.modalities.beatmap.synthetic.synth_sound import play
from bgb_assets.storage.groups import merge
from bgb_assets_tests.benchmarks.measured import in_turns, ratio, show

RATE_HZ = 22_050
PAIRS = 4_000
TWIN_SHARE = 0.1
Peaks = tuple[NDArray[np.int64], NDArray[np.int64]]


def main() -> None:
    """Print what the corpus and one song cost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="few songs, once: only to see that it runs")
    parser.add_argument("--songs", type=int, default=5_000)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    count, repeats = (60, 1) if args.small else (args.songs, args.repeats)
    compare_corpus(count, repeats)
    compare_song(20.0 if args.small else 180.0, repeats)


def compare_corpus(count: int, repeats: int) -> None:
    """The join against every two songs."""
    songs, twins = corpus(count)
    held = sum(song.nbytes for song in songs)
    found = {(i, j) for i, j, _ in find_pairs(songs)}
    print(f"{count} songs, {held / 1e6:.0f} MB of landmarks, {len(twins)} second encodes")
    names = [f"{number:06d}" for number in range(count)]
    merged = merge(names, [(names[i], names[j]) for i, j in found])
    connected = sum(merged[names[i]] == merged[names[j]] for i, j in twins)
    print(f"  {connected} of them connected by {len(found & twins)} pairs, {len(found - twins)} other pairs")
    pairs = list(itertools.islice(itertools.combinations(range(count), 2), PAIRS))
    share = len(pairs) / (count * (count - 1) / 2)
    taken = in_turns(
        {
            "every two": lambda: [compare(songs[i], songs[j]) for i, j in pairs],
            "joined": lambda: list(find_pairs(songs)),
        },
        repeats,
    )
    taken = {**taken, "every two": [seconds / share for seconds in taken["every two"]]}
    show(f"pairs among {count} songs ('every two' scaled from {len(pairs)} pairs)", taken)
    print(f"  {ratio(taken['every two'], taken['joined']):.0f} times as fast")


def compare_song(seconds: float, repeats: int) -> None:
    """What landmarks add to the decode of a song."""
    clip = play(compose(np.random.default_rng(7), False), RATE_HZ, np.random.default_rng(8))
    samples = np.tile(clip, int(np.ceil(seconds * RATE_HZ / len(clip))))[: round(seconds * RATE_HZ)]
    pcm = np.rint(samples / np.abs(samples).max() * 32_767).astype(np.int16)
    delivered = np.repeat(soxr.resample(samples, RATE_HZ, 2 * RATE_HZ)[:, None], 2, axis=1)
    with tempfile.TemporaryDirectory(prefix="bench_recordings_") as folder:
        write_ogg(Path(folder) / "song.ogg", delivered.astype(np.float32), 2 * RATE_HZ)
        taken = in_turns(
            {"decode": lambda: _decode(Path(folder) / "song.ogg"), "landmarks": lambda: find_landmarks(pcm)},
            repeats,
            clock=time.process_time,
        )
    show(f"a song of {seconds:.0f} s at 44.1 kHz in two channels, CPU", taken)
    print(f"  landmarks take {statistics.median(taken['landmarks']) * 1e3:.0f} ms")


def corpus(count: int) -> tuple[list[Landmarks], set[tuple[int, int]]]:
    """Return songs, and the pairs that are one recording."""
    chance = np.random.default_rng(11)
    songs: list[Landmarks] = []
    twins: set[tuple[int, int]] = set()
    peaks: list[Peaks] = []
    for number in range(count):
        if number and chance.random() < TWIN_SHARE:
            other = int(chance.integers(0, number))
            twins |= {(i, number) for i in range(number) if i == other or (min(i, other), max(i, other)) in twins}
            peaks.append(_heard_again(peaks[other], chance))
        else:
            peaks.append(_music(chance))
        songs.append(_of_peaks(*peaks[-1]))
    return songs, twins


def _music(chance: np.random.Generator) -> Peaks:
    """Three minutes of notes on the semitones, in steps of a sixteenth, about ten peaks a second."""
    step_frames = RATE_HZ / 1_024 * 15 / float(chance.choice(np.arange(80, 200, 3)))
    count = 1_800
    frames = np.sort(np.rint(chance.integers(0, 180 * 21.5 / step_frames, count) * step_frames).astype(np.int64))
    keys = 36 + (np.cumsum(chance.integers(-4, 5, count)) + chance.integers(0, 12)) % 60
    bins = np.rint(440 * 2 ** ((keys - 69) / 12) / (RATE_HZ / 4_096)).astype(np.int64) - 20
    kept = (bins >= 0) & (bins < 280)
    return frames[kept], bins[kept]


def _heard_again(peaks: Peaks, chance: np.random.Generator) -> Peaks:
    frames, bins = peaks
    kept = chance.random(len(frames)) > 1 / 3
    return frames[kept] + int(chance.integers(0, 40)), bins[kept]


def _of_peaks(frames: NDArray[np.int64], bins: NDArray[np.int64]) -> Landmarks:
    order = np.lexsort((bins, frames))
    return landmarks.of_peaks(frames[order], bins[order])


def _decode(path: Path) -> None:
    with tempfile.TemporaryFile() as spool:
        decode(path, CacheParams(), spool)


if __name__ == "__main__":
    main()
