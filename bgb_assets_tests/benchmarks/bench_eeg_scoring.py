"""How fast recordings are scored by SzCORE's rules: binary searches in event lists against masks of every sample.

Run: `python -m bgb_assets_tests.benchmarks.bench_eeg_scoring [--small] [--repeats 15]`.
The peer is `timescoring`, handed the same sorted and united events of the same 44 real recordings; both score each
recording by event and by sample, and both must count the same. Variants take turns; a ratio is the median of the
ratios of one turn, larger is faster for us. Where the real labels are not at hand, made-up ones of the same length.
"""

import argparse
from collections.abc import Sequence

import numpy as np
import pytest
from timescoring.annotations import Annotation
from timescoring.scoring import EventScoring, SampleScoring

from bgb_assets.modalities.eeg.annotations.intervals import unite
from bgb_assets.modalities.eeg.scoring.evaluation import Recording, evaluate, score_all
from bgb_assets.modalities.eeg.scoring.metrics import Scorer
from bgb_assets_tests.benchmarks.measured import gate, in_turns, ratio, show
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.eeg.scoring.seizeit2 import recordings

MASK_HZ = 10
"""Rate of the masks that the peer is handed; it makes its own of 10 and of 1 Hz from them."""
Counted = list[tuple[float, float, float]]


def corpus() -> list[Recording]:
    """Return the 44 real recordings, or as many made-up ones of nine hours."""
    try:
        return recordings(shared_data("eeg") / "seizeit2")
    except pytest.skip.Exception:
        rng = np.random.default_rng(0)
        return [_made_up(rng, place) for place in range(44)]


def _made_up(rng: np.random.Generator, place: int) -> Recording:
    onsets = rng.uniform(0, 33_000, 2)
    reference = unite(np.round(np.stack([onsets, onsets + 60], 1)))
    return Recording(f"r{place}", f"p{place // 2}", 33_425.0, reference, unite(reference + 20))


def ours(found: Sequence[Recording]) -> Counted:
    """Count by event and by sample from the lists."""
    tables = [score_all(scorer, found) for scorer in (Scorer.SZCORE_EVENT, Scorer.SZCORE_SAMPLE)]
    return [tuple(row[:3]) for pair in zip(*(table.tolist() for table in tables), strict=True) for row in pair]


def peers(found: Sequence[Recording]) -> Counted:
    """Count by event and by sample as `timescoring` does."""
    counted: Counted = []
    for one in found:
        samples = round(one.duration_s * MASK_HZ)
        reference, hypothesis = (
            Annotation([tuple(pair) for pair in events.tolist()], MASK_HZ, samples)
            for events in (one.reference, one.hypothesis)
        )
        scores = (EventScoring(reference, hypothesis), SampleScoring(reference, hypothesis))
        counted += [(score.tp, score.fp, score.refTrue) for score in scores]
    return counted


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="only see that it runs")
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    found = corpus()[: 3 if options.small else None]
    if ours(found) != peers(found):
        raise SystemExit("the two count differently")
    arms = {
        "timescoring": lambda: peers(found),
        "event lists": lambda: ours(found),
        "all scorers and intervals": lambda: evaluate(found),
    }
    taken = in_turns(arms, 1 if options.small else options.repeats)
    show(f"{len(found)} recordings", taken)
    gate(
        29,
        f"{len(found)} recordings by event and by sample: timescoring / event lists",
        ratio(taken["timescoring"], taken["event lists"]),
        at_least=3,
    )


if __name__ == "__main__":
    main()
