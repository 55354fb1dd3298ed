"""How raw to notes scales over workers, against a control that only computes.

Run: `python -m bgb_assets_tests.benchmarks.bench_beatmap_scaling [--small] [--workers 2] [--repeats 5]`.
Both go through the same executor, warm, with one worker and with several, in turns; the ratio is that of their gains.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from bgb_assets.modalities.beatmap import notes
from bgb_assets.runtime.executor import Bounds, Task
from bgb_assets.runtime.executor_local import LocalProcessExecutor
from bgb_assets_tests.benchmarks.measured import gate, in_turns, ratio, show
from bgb_assets_tests.fixtures import REPOSITORY
from bgb_assets_tests.modalities.beatmap.audio_stages import run_song

HERE = "bgb_assets_tests.benchmarks.bench_beatmap_scaling"
SAMPLES = REPOSITORY / "data" / "samples" / "beatmap"
CONTROL_ROUNDS = 400


def song_to_notes(upload: str) -> int:
    """Take one song from raw to notes in a temporary folder; returns the number of files."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        stages = run_song(Path(upload), work)
        (work / "notes").mkdir()
        notes.run({"raw": stages["raw"], "features": stages["features"]}, None, work / "notes")
        return sum(1 for _ in work.rglob("*"))


def only_compute(rounds: int) -> float:
    """Transform one block over and over: no file, no memory to speak of."""
    block = np.random.default_rng(0).random((64, 2048), np.float32)
    return float(sum(np.abs(np.fft.rfft(block)).sum() for _ in range(rounds)))


def main() -> None:
    """Print the gains."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="only see that it runs")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    count, repeats, rounds = (2, 1, 5) if options.small else (16, options.repeats, CONTROL_ROUNDS)
    folders = sorted(str(path) for path in SAMPLES.iterdir() if path.is_dir())
    songs = [folders[number % len(folders)] for number in range(count)]
    with LocalProcessExecutor(Bounds(1)) as one, LocalProcessExecutor(Bounds(options.workers)) as several:
        arms = {
            "songs, one worker": lambda: work_on(one, "song_to_notes", songs),
            "songs, several": lambda: work_on(several, "song_to_notes", songs),
            "control, one worker": lambda: work_on(one, "only_compute", [rounds] * count),
            "control, several": lambda: work_on(several, "only_compute", [rounds] * count),
        }
        taken = in_turns(arms, repeats)
    show(f"{count} songs, raw to notes, and a control that only computes", taken)
    gain = ratio(taken["songs, one worker"], taken["songs, several"])
    control = ratio(taken["control, one worker"], taken["control, several"])
    what = f"gain of {options.workers} workers on songs ({gain:.2f}) / on pure compute ({control:.2f})"
    gate(27, what, gain / control, at_least=0.9)


def work_on(executor: LocalProcessExecutor, function: str, payloads: list[object]) -> None:
    """Map a function over the payloads; every call must succeed."""
    tasks = (Task(str(number), payload) for number, payload in enumerate(payloads))
    for done in executor.map(f"{HERE}:{function}", tasks):
        if done.failure is not None:
            raise RuntimeError(done.failure.message)


if __name__ == "__main__":
    main()
