"""How fast a song becomes features, against librosa and against the naive chain; and what a fresh worker pays.

Run: `python -m bgb_assets_tests.benchmarks.bench_beatmap_features [--small] [--seconds 180] [--repeats 7]`.
One thread. Variants take turns; a ratio is the median of the ratios of one turn, larger is faster.
"""

import os

# Before numpy: all variants get one thread.
os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"})

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import soundfile

from bgb_assets.modalities.beatmap import cache
from bgb_assets.modalities.beatmap.audio.beat_grid import grid_beats, sample_rows, whole_bar_rows
from bgb_assets.modalities.beatmap.audio.canonical_wav import map_pcm16
from bgb_assets.modalities.beatmap.features import FeatureParams, beat_grid, song_frames
from bgb_assets.modalities.beatmap.formats.tempo import tempo_from_events
from bgb_assets.modalities.beatmap.synth import write_ogg
from bgb_assets.modalities.beatmap.synthetic.synth_score import compose
from bgb_assets.modalities.beatmap.synthetic.synth_sound import play
from bgb_assets_tests.benchmarks.measured import gate, in_turns, ratio, show

RATE_HZ = 22_050
SOURCE_RATE_HZ = 44_100
PARAMS = FeatureParams()
TEMPO = tempo_from_events(143.0, [64.0, 128.0], [128.3, 151.0]).tempo

COLD = """
import time
from pathlib import Path
start = time.perf_counter()
import numpy as np
from bgb_assets.modalities.beatmap.features import FeatureParams, song_frames
imported = time.perf_counter()
pcm = np.random.default_rng(0).integers(-9000, 9000, 22050 * 30).astype(np.int16)
first = time.perf_counter()
song_frames(pcm, 22050, 32767.0, FeatureParams())
second = time.perf_counter()
song_frames(pcm, 22050, 32767.0, FeatureParams())
third = time.perf_counter()
# Not getrusage: its peak counts the parent before exec.
lines = Path("/proc/self/status").read_text().splitlines()
peak_mb = next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
print(imported - start, (second - first) - (third - second), third - second, peak_mb)
"""

MEMORY = """
import sys, threading, time
from pathlib import Path
from bgb_assets_tests.benchmarks.bench_beatmap_features import features_of, run_cache

def anonymous_mb():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon"))

def peak_mb(work_on):
    before, peak, done = anonymous_mb(), 0.0, threading.Event()
    def watch():
        nonlocal peak
        while not done.wait(0.003):
            peak = max(peak, anonymous_mb())
    thread = threading.Thread(target=watch)
    thread.start()
    start = time.perf_counter()
    result = work_on()
    taken = time.perf_counter() - start
    done.set()
    thread.join()
    print(peak - before, taken)
    return result

short, long, work = (Path(argument) for argument in sys.argv[1:])
features_of(run_cache(short, work))
cached = peak_mb(lambda: run_cache(long, work))
peak_mb(lambda: features_of(cached))
"""


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="only see that it runs")
    parser.add_argument("--seconds", type=int, default=180)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    seconds, repeats = (10, 2) if options.small else (options.seconds, options.repeats)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        source = make_song(work, seconds)
        cached = run_cache(source, work)
        from_samples(cached, seconds, repeats)
        from_file(source, cached, seconds, repeats, work)
        processor_time(source, cached, repeats, work)
        interpolation(cached, repeats)
        memory(work, 5 if options.small else 60)
    cold_start(1 if options.small else 3)


def make_song(work: Path, seconds: int) -> Path:
    """Write a stereo Ogg Vorbis song of 44.1 kHz."""
    rng = np.random.default_rng(0)
    pieces, length = [], 0
    while length < seconds * SOURCE_RATE_HZ:
        pieces.append(play(compose(rng, with_changes=False), SOURCE_RATE_HZ, rng))
        length += len(pieces[-1])
    mono = np.concatenate(pieces)[: seconds * SOURCE_RATE_HZ]
    path = work / "song.egg"
    write_ogg(path, np.stack([mono, np.roll(mono, 20)], axis=1), SOURCE_RATE_HZ, quality=0.5)
    return path


def run_cache(source: Path, work: Path) -> Path:
    """Run stage cache; returns its folder."""
    out = Path(tempfile.mkdtemp(dir=work))
    upload = Path(tempfile.mkdtemp(dir=work))
    (upload / source.name).hardlink_to(source)
    cache.run({"upload": upload}, cache.CacheParams(), out)
    return out


def decoded(source: Path, work: Path) -> Path:
    """Run what stage cache does but for the landmarks, which no peer has; returns its folder."""
    out = Path(tempfile.mkdtemp(dir=work))
    cache.write_song(source, cache.CacheParams(), out)
    return out


def features_of(cached: Path) -> np.ndarray:
    """Compute what stage features stores for one tempo map."""
    rate_hz, pcm = map_pcm16(cached / "audio.wav")
    gain = json.loads((cached / "audio.json").read_text())["gain"]
    return beat_grid(song_frames(pcm, rate_hz, gain, PARAMS), TEMPO, PARAMS)


def librosa_two_calls(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mel in decibels and onset strength, as its documentation shows: a transform each."""
    import librosa

    power = librosa.feature.melspectrogram(y=samples, sr=RATE_HZ, n_fft=2048, hop_length=512, n_mels=80)
    return librosa.power_to_db(power, ref=np.max), librosa.onset.onset_strength(y=samples, sr=RATE_HZ)


def naive_grid(mel_db: np.ndarray, onset: np.ndarray) -> np.ndarray:
    """Interpolate band by band."""
    frames_s = np.arange(mel_db.shape[1]) * 512 / RATE_HZ
    rows = whole_bar_rows(float(TEMPO.beat(frames_s[-1])), 16)
    times_s = TEMPO.time(grid_beats(rows, 16))
    bands = [np.interp(times_s, frames_s, band, right=-80.0) for band in mel_db]
    bands.append(np.interp(times_s, frames_s, onset, right=0.0) / np.percentile(onset, 99.5))
    return np.stack(bands, axis=1).astype(np.float16)


def naive_chain(source: Path) -> np.ndarray:
    """File to features as a script does it."""
    import librosa

    samples, rate_hz = soundfile.read(source, dtype="float32")
    mono = librosa.resample(samples.mean(axis=1), orig_sr=rate_hz, target_sr=RATE_HZ)
    return naive_grid(*librosa_two_calls(mono))


def from_samples(cached: Path, seconds: int, repeats: int) -> None:
    """Mel and onset from samples in memory."""
    pcm = np.array(map_pcm16(cached / "audio.wav")[1])
    samples = pcm.astype(np.float32) / 32_767
    variants = {
        "librosa, two calls": lambda: librosa_two_calls(samples),
        "one transform for both": lambda: song_frames(pcm, RATE_HZ, 32_767.0, PARAMS),
    }
    taken = in_turns(variants, repeats)
    show(f"mel + onset of {seconds} s at 22.05 kHz, from samples", taken)
    quicker = ratio(taken["librosa, two calls"], taken["one transform for both"])
    gate(26, "mel + onset: librosa's two calls / one transform", quicker, at_least=2)


def from_file(source: Path, cached: Path, seconds: int, repeats: int, work: Path) -> None:
    """Features from the delivered file and from the cache."""
    variants = {
        "naive chain from the file": lambda: naive_chain(source),
        "cache + features from the file": lambda: features_of(decoded(source, work)),
        "the same with landmarks": lambda: features_of(run_cache(source, work)),
        "features from the cache": lambda: features_of(cached),
    }
    taken = in_turns(variants, repeats)
    show(f"{seconds} s of stereo Ogg Vorbis to the beat grid", taken)
    naive, from_cache = taken["naive chain from the file"], taken["features from the cache"]
    gate(
        26, "file to features: naive chain / ours", ratio(naive, taken["cache + features from the file"]), at_least=1.5
    )
    gate(26, "naive chain from the file / features from the cache", ratio(naive, from_cache), at_least=5)


def librosa_path(source: Path) -> np.ndarray:
    """File to features by librosa alone, a call for each step."""
    import librosa

    samples, _ = librosa.load(source, sr=RATE_HZ)
    return aligned_by_librosa(samples)


def aligned_by_librosa(samples: np.ndarray) -> np.ndarray:
    """Mel in decibels and onset strength on the beat grid."""
    import librosa
    from scipy.interpolate import interp1d

    power = librosa.feature.melspectrogram(y=samples, sr=RATE_HZ, n_fft=2048, hop_length=512, n_mels=80)
    mel_db = librosa.power_to_db(power, ref=np.max)
    onset = librosa.onset.onset_strength(y=samples, sr=RATE_HZ)
    frames_s = np.arange(mel_db.shape[1]) * 512 / RATE_HZ
    times_s = TEMPO.time(grid_beats(whole_bar_rows(float(TEMPO.beat(frames_s[-1])), 16), 16))
    bands = [interp1d(frames_s, band, bounds_error=False, fill_value=-80.0)(times_s) for band in mel_db]
    bands.append(interp1d(frames_s, onset, bounds_error=False, fill_value=0.0)(times_s))
    return np.stack(bands, axis=1).astype(np.float16)


def processor_time(source: Path, cached: Path, repeats: int, work: Path) -> None:
    """CPU seconds of the audio path, and of what comes after the decode, against librosa's."""
    import librosa

    samples, _ = librosa.load(source, sr=RATE_HZ)
    variants = {
        "librosa, from the file": lambda: librosa_path(source),
        "ours, from the file": lambda: features_of(decoded(source, work)),
        "ours with landmarks, from the file": lambda: features_of(run_cache(source, work)),
        "librosa, after the decode": lambda: aligned_by_librosa(samples),
        "ours, after the decode": lambda: features_of(cached),
    }
    taken = in_turns(variants, repeats, clock=time.process_time)
    show("CPU seconds, file to the beat grid", taken)
    whole = ratio(taken["ours, from the file"], taken["librosa, from the file"])
    after = ratio(taken["ours, after the decode"], taken["librosa, after the decode"])
    gate(26, "CPU time of the audio path / librosa's", whole, at_most=0.6)
    gate(26, "CPU time after the decode / librosa's", after, at_most=0.4)


def interpolation(cached: Path, repeats: int) -> None:
    """The beat grid alone."""
    rate_hz, pcm = map_pcm16(cached / "audio.wav")
    song = song_frames(pcm, rate_hz, 32_767.0, PARAMS)
    rows = whole_bar_rows(float(TEMPO.beat(song.seconds)), 16)
    times_s = TEMPO.time(grid_beats(rows, 16))
    frames_s = np.arange(len(song.mel_db)) * song.hop_s
    by_band = np.ascontiguousarray(song.mel_db.T)
    variants = {
        "numpy.interp per band": lambda: np.stack([np.interp(times_s, frames_s, band) for band in by_band]),
        "gather of whole rows": lambda: sample_rows(song.mel_db, times_s, song.hop_s, song.seconds, -80.0),
    }
    taken = in_turns(variants, 3 * repeats)
    show(f"interpolation to {rows} rows of 80 bands", taken)
    quicker = ratio(taken["numpy.interp per band"], taken["gather of whole rows"])
    gate(27, "interpolation: numpy.interp per band / gather of rows", quicker, at_least=2)


def memory(work: Path, minutes: int) -> None:
    """What one long song takes in a worker, above what the worker takes after a short one."""
    for name, length in (("short", 1), ("long", minutes)):
        with soundfile.SoundFile(work / f"{name}.wav", "w", SOURCE_RATE_HZ, 2) as file:
            noise = np.random.default_rng(0).uniform(-0.5, 0.5, (60 * SOURCE_RATE_HZ, 2)).astype(np.float32)
            for _ in range(length):
                file.write(noise)
    command = [sys.executable, "-c", MEMORY, str(work / "short.wav"), str(work / "long.wav"), str(work)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    print(f"\n{minutes} minutes of stereo WAV, anonymous memory above a worker that has done one minute")
    for name, mb, taken in zip(("cache", "features"), printed[::2], printed[1::2], strict=True):
        print(f"  {name:34s} {float(mb):8.0f} MB {float(taken):8.1f} s")


def cold_start(repeats: int) -> None:
    """What the first song of a fresh process costs."""
    runs = []
    for _ in range(repeats):
        printed = subprocess.run([sys.executable, "-c", COLD], capture_output=True, text=True, check=True).stdout
        runs.append([float(value) for value in printed.split()])
    imports, first, later, peak = (statistics.median(column) for column in zip(*runs, strict=True))
    print("\nfresh process, 30 s song")
    print(f"  import of the stage {imports:6.2f} s; first song adds {first:5.2f} s; each song {later * 1e3:5.1f} ms")
    print(f"  peak memory of the process {peak:5.0f} MB")


if __name__ == "__main__":
    main()
