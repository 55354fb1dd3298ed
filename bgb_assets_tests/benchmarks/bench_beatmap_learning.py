"""Whether the network learns where notes go, with the clock that tokens and frames share and without; and its pace.

`python -m bgb_assets_tests.benchmarks.bench_beatmap_learning [--small]`: `small` for 1,500 steps on songs whose frames
say where their notes are, the same without the clock for 500; then maps for three songs at four paces. About a quarter
of an hour on two cores.
"""

import argparse
import tempfile
from pathlib import Path

from bgb_assets_tests.benchmarks.measured import gate
from bgb_assets_tests.modalities.beatmap.learning.test_network_learns import SONGS, delivered
from bgb_assets_tests.modalities.beatmap.marked_songs import PARAMS, QUICK, DeafToPlace, train, with_steps

PACES = (2.0, 4.0, 6.0, 8.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="only that it runs")
    small = parser.parse_args().small
    params, steps, deaf_steps = (QUICK, 4, 4) if small else (PARAMS, 1_500, 500)
    with tempfile.TemporaryDirectory(prefix="bench_learning_") as folder:
        learned = train(Path(folder) / "heard", with_steps(params, steps))
        deaf = train(Path(folder) / "deaf", with_steps(params, deaf_steps), DeafToPlace)
    heard, unheard = learned.metrics["validation"], deaf.metrics["validation"]
    gate(21, f"POS accuracy after {steps} steps", heard["pos_accuracy"], at_least=0.90, unit="of the tokens")
    gate(21, f"NOTE accuracy after {steps} steps", heard["note_accuracy"], at_least=0.99, unit="of the tokens")
    what = f"POS accuracy after {deaf_steps} steps without the clock"
    gate(21, what, unheard["pos_accuracy"], at_most=0.20, unit="of the tokens")
    for seconds, bpm in SONGS[:1] if small else SONGS:
        for asked in PACES[:1] if small else PACES:
            error = abs(delivered(learned.model, seconds, bpm, asked) / asked - 1.0)
            gate(24, f"{seconds:g} s, {asked:g} notes/s asked for, error", error, at_most=0.10, unit="of the pace")


if __name__ == "__main__":
    main()
