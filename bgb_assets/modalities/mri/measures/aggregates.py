"""What many predictions say of a variant, and of one against another.

Two spreads are told apart by name: that over scans (how hard scans are) and that over runs (how much training varies).
They differ tenfold. A figure without a value is counted and left out, never replaced.

Belongs here: averages, intervals, comparison by pairs. Does not belong here: intervals and tests themselves
(`training.intervals`, `training.comparison`).
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.mri.measures.per_scan import FIGURES, Evaluation, ScoredScan, require_comparable
from bgb_assets.storage.digests import canonical_json
from bgb_assets.training.comparison import holm, signed_ranks
from bgb_assets.training.intervals import bootstrap_sums, group_sums

RESAMPLES = 10_000
SUMMARY_FILE = "summary.json"


@dataclass(frozen=True)
class ScanMean:
    """A figure of one scan, averaged over the restarts that have it."""

    upload: str
    subject: str
    value: float


@dataclass(frozen=True)
class Comparison:
    """A variant against the reference, scan by scan.

    Attributes:
        pairs: Scans with the figure on both sides.
        left_out: Scans without it on one side at least.
        mean_difference: Of the variant less the reference.
        p_value: Two-sided signed ranks.
        p_holm: Adjusted for all variants compared together.
    """

    variant: str
    reference: str
    figure: str
    pairs: int
    left_out: int
    mean_difference: float
    statistic: float
    p_value: float
    p_holm: float


def scan_means(scans: Iterable[ScoredScan], figure: str) -> list[ScanMean]:
    """Return each scan's figure averaged over restarts, by upload; scans that never have it are left out."""
    values: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for one in scans:
        value = getattr(one.figures, figure)
        if value is not None:
            values[one.upload, one.subject].append(float(value))
    return [
        ScanMean(upload, subject, math.fsum(held) / len(held)) for (upload, subject), held in sorted(values.items())
    ]


def summarise(evaluation: Evaluation, *, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Any]:
    """Return the content of `summary.json`: every figure over all scans, per volume bin, per acquisition, and by run.

    Args:
        evaluation: All predictions of a variant.
        resamples: Of the bootstrap, which draws whole subjects.
        seed: Of the bootstrap.
    """
    scans = evaluation.scans
    parts = {"volume_bin": _by(scans, _volume_bin), "acquisition": _by(scans, _acquisition)}
    return {
        **{name: getattr(evaluation, name) for name in ("variant", "grid", "scorer_version", "split_digest")},
        "bootstrap": {"resamples": resamples, "seed": seed, "drawn": "subjects"},
        "over_scans": _over_scans(scans, resamples, seed),
        "over_scans_by": {
            name: {value: _over_scans(held, resamples, seed) for value, held in found.items()}
            for name, found in parts.items()
        },
        "over_runs": {figure: _over_runs(scans, figure) for figure in FIGURES},
    }


def write_summary(out: Path, summary: Mapping[str, Any]) -> None:
    """Write `summary.json`; no number in it is infinite or NaN."""
    (out / SUMMARY_FILE).write_bytes(canonical_json(summary) + b"\n")


def compare_variants(
    reference: Evaluation, others: Sequence[Evaluation], figure: str = "lesion_dice"
) -> list[Comparison]:
    """Compare variants with a reference by Wilcoxon's signed ranks, paired by upload, adjusted after Holm.

    Raises:
        UsageError: They were not scored on the same scans, in the same way.
    """
    found = []
    for other in others:
        require_comparable(reference, other)
        found.append(_compared(reference, other, figure))
    adjusted = holm(np.array([one.p_value for one in found], np.float64))
    return [Comparison(**{**asdict(one), "p_holm": float(p)}) for one, p in zip(found, adjusted, strict=True)]


def _compared(reference: Evaluation, other: Evaluation, figure: str) -> Comparison:
    """Return one comparison, not yet adjusted."""
    first, second = (
        {one.upload: one.value for one in scan_means(evaluation.scans, figure)} for evaluation in (other, reference)
    )
    shared = sorted(first.keys() & second.keys())
    ours, theirs = (np.array([values[upload] for upload in shared], np.float64) for values in (first, second))
    test = signed_ranks(ours, theirs)
    scans = {one.upload for one in reference.scans}
    difference = float((ours - theirs).mean()) if shared else 0.0
    counts = (len(shared), len(scans) - len(shared))
    return Comparison(
        other.variant, reference.variant, figure, *counts, difference, test.statistic, test.p_value, test.p_value
    )


def _over_scans(scans: Sequence[ScoredScan], resamples: int, seed: int) -> dict[str, Any]:
    """Return counts, and every figure over scans."""
    figures: dict[str, Any] = {name: _distribution(scan_means(scans, name), resamples, seed) for name in FIGURES}
    return {
        "n_scans": len({one.upload for one in scans}),
        "n_subjects": len({one.subject for one in scans}),
        "n_predictions": len(scans),
        "n_both_empty": sum(one.figures.overlap.both_empty for one in scans),
        "n_avd_undefined": sum(one.figures.avd is None for one in scans),
        "n_hd95_undefined": sum(one.figures.hd95_mm is None for one in scans),
        "figures": figures,
    }


def _distribution(means: Sequence[ScanMean], resamples: int, seed: int) -> dict[str, Any]:
    """Return mean, spread over scans, quartiles, and the interval of the mean over resampled subjects."""
    if not means:
        return {"n": 0}
    values = np.array([one.value for one in means], np.float64)
    lower, median, upper = np.quantile(values, [0.25, 0.5, 0.75])
    names, places = np.unique([one.subject for one in means], return_inverse=True)
    columns = np.stack([values, np.ones_like(values)], axis=1)
    interval = bootstrap_sums(group_sums(columns, places, len(names)), _mean, resamples=resamples, seed=seed)
    return {
        "n": len(values),
        "mean": float(values.mean()),
        "sd_over_scans": _sd(values),
        "quartiles": [float(lower), float(median), float(upper)],
        "median": float(median),
        "interval": [interval.low, interval.high],
    }


def _over_runs(scans: Sequence[ScoredScan], figure: str) -> dict[str, Any]:
    """Return the mean of each run's own test scans, and the spread of these means over runs."""
    runs = []
    for (fold, restart), held in _by(scans, _run).items():
        means = scan_means(held, figure)
        mean = float(np.mean([one.value for one in means])) if means else None
        runs.append({"outer_fold": fold, "restart": restart, "n": len(means), "mean": mean})
    values = np.array([run["mean"] for run in runs if run["mean"] is not None], np.float64)
    mean = float(values.mean()) if len(values) else None
    return {"runs": runs, "mean_of_runs": mean, "sd_over_runs": _sd(values)}


def _by(scans: Sequence[ScoredScan], key: Callable[[ScoredScan], Any]) -> Mapping[Any, list[ScoredScan]]:
    found: defaultdict[Any, list[ScoredScan]] = defaultdict(list)
    for one in scans:
        found[key(one)].append(one)
    return dict(sorted(found.items()))


def _volume_bin(one: ScoredScan) -> str:
    return "n/a" if one.volume_bin is None else str(one.volume_bin)


def _acquisition(one: ScoredScan) -> str:
    return one.acquisition or "n/a"


def _run(one: ScoredScan) -> tuple[int, int]:
    return one.outer_fold, one.restart


def _mean(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(sums[:, 0] / sums[:, 1], np.float64)


def _sd(values: NDArray[np.float64]) -> float | None:
    return float(values.std(ddof=1)) if len(values) > 1 else None
