"""How sure a figure is: bootstrap intervals that resample whole groups (patients, scans, sources, sessions).

Belongs here: the draws and the percentiles. Does not belong here: what a figure is (a function of the draws), which
samples make a group (the manifest says so).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Weights: TypeAlias = NDArray[np.float64]
"""(resamples, groups): how often each group was drawn; a row sums to the number of groups."""
Statistic: TypeAlias = Callable[[Weights], NDArray[np.float64]]
"""Weights -> one figure a resample, (resamples,); NaN where that resample has none."""

RESAMPLES = 2_000
_BLOCK_BYTES = 1 << 25
_MOST_DRAWS = 20
"""Times the resamples asked for; a figure that is rarely defined has no interval."""


@dataclass(frozen=True)
class Interval:
    """A percentile interval.

    Attributes:
        value: The figure on all groups, each once; None where it is undefined.
        low: Its lower end; None with `high` where too few resamples have the figure.
        high: Its upper end.
        groups: How many groups there are.
        resamples: How many draws the ends come from.
        redrawn: Draws without the figure (one class only, no event, ...), each replaced by another.
    """

    value: float | None
    low: float | None
    high: float | None
    groups: int
    resamples: int
    redrawn: int

    def to_json(self) -> dict[str, Any]:
        """Return what JSON holds."""
        return dict(vars(self))


def bootstrap(
    statistic: Statistic,
    groups: int,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
    row_bytes: int = 8,
) -> Interval:
    """Return the percentile interval of a figure over resampled groups (Efron 1979).

    Two figures are compared by their difference as the statistic: both see the same draws. Same seed, same interval,
    whatever the blocks.

    Args:
        statistic: The figure of each row of weights.
        groups: How many there are, at least 1.
        resamples: Draws with the figure.
        seed: Of the draws.
        level: Probability between the ends.
        row_bytes: What the statistic needs for one resample; it sets how many come at a time.

    Raises:
        ValueError: There is no group, or no resample is asked for.
    """
    if groups < 1 or resamples < 1:
        raise ValueError(f"a bootstrap needs groups and resamples, got {groups} groups and {resamples} resamples")
    whole = float(statistic(np.ones((1, groups)))[0])
    values, redrawn = _defined(statistic, groups, resamples, seed, max(row_bytes, 8 * groups))
    value = None if np.isnan(whole) else whole
    if value is None or len(values) < resamples:
        return Interval(value, None, None, groups, len(values), redrawn)
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high), groups, resamples, redrawn)


def bootstrap_sums(
    sums: NDArray[Any],
    statistic: Statistic,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Return the interval of a figure of sums over groups: counts, histograms. A resample reads nothing.

    Args:
        sums: (groups, columns): what each group adds.
        statistic: (resamples, columns) of summed columns -> (resamples,).
        resamples: Draws with the figure.
        seed: Of the draws.
        level: Probability between the ends.

    Raises:
        ValueError: There is no group, or no resample is asked for.
    """
    table = np.asarray(sums, np.float64)
    return bootstrap(
        lambda weights: statistic(weights @ table),
        len(table),
        resamples=resamples,
        seed=seed,
        level=level,
        row_bytes=8 * table.shape[1],
    )


def group_sums(values: NDArray[Any], groups: NDArray[np.integer[Any]], count: int) -> NDArray[np.float64]:
    """Return (count, columns): rows of `values` (n, columns) summed by their group's number (n,)."""
    sums = np.zeros((count, values.shape[1]))
    np.add.at(sums, groups, values)
    return sums


def _defined(
    statistic: Statistic, groups: int, resamples: int, seed: int, row_bytes: int
) -> tuple[NDArray[np.float64], int]:
    """Return the first `resamples` figures that are not NaN, in the order of their draws, and how many were."""
    rng = np.random.default_rng(seed)
    share = np.full(groups, 1 / groups)
    block = int(np.clip(_BLOCK_BYTES // row_bytes, 1, resamples))
    found: list[NDArray[np.float64]] = []
    have = drawn = redrawn = 0
    while have < resamples and drawn < _MOST_DRAWS * resamples:
        values = statistic(rng.multinomial(groups, share, size=block).astype(np.float64))
        good = np.flatnonzero(~np.isnan(values))[: resamples - have]
        last = int(good[-1]) + 1 if have + len(good) == resamples else block
        found.append(values[good])
        have, drawn, redrawn = have + len(good), drawn + block, redrawn + last - len(good)
    return np.concatenate(found), redrawn
