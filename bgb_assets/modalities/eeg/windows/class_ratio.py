"""How much of a data set is seizure, and the weight of the positive class that follows.

Belongs here: asking a data set that knows, and estimating where it does not. Does not belong here: the data set
(`dataset`), the loss.
"""

import logging
import math
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np

from bgb_assets.runtime.errors import UsageError

SAMPLED_ITEMS = 1_000
_Z95 = 1.959963984540054
_log = logging.getLogger(__name__)


@runtime_checkable
class KnowsClassRatio(Protocol):
    """A data set that knows its class ratio exactly, without reading anything."""

    @property
    def seizure_ratio(self) -> float:
        """Share of the windows that hold any seizure."""
        ...

    @property
    def positive_sample_ratio(self) -> float:
        """Share of the samples that lie within a seizure."""
        ...

    @property
    def counts(self) -> Mapping[str, int]:
        """The integers behind both."""
        ...


def class_ratio(dataset: Any, seed: int = 42) -> float:
    """Return the share of windows that hold a seizure: exact where the data set knows it, else an estimate.

    Args:
        dataset: A `KnowsClassRatio`, or anything with a length and `dataset[i]["positives"]`; with a method
            `label(i)`, which says whether item i holds a seizure, no item is read.
        seed: Of the sample of at most 1,000 items that an estimate is made from.

    Raises:
        UsageError: The data set is empty.
    """
    if isinstance(dataset, KnowsClassRatio):
        ratio = float(dataset.seizure_ratio)
        _log.info("[DATASET] Using %s known distribution", type(dataset).__name__)
        _log.info("[DATASET] Seizure ratio: %.1f%% (from manifest)", 100 * ratio)
        return ratio
    return _estimate(dataset, seed)


def pos_weight(ratio: float) -> float:
    """Return the weight of positive samples: sqrt((1 - r) / r) for 0 < r < 0.5, else 1."""
    weight = math.sqrt((1 - ratio) / ratio) if 0 < ratio < 0.5 else 1.0
    _log.info("[DATASET] Using pos_weight: %.2f (sqrt scaling)", weight)
    return weight


def _estimate(dataset: Any, seed: int) -> float:
    count = len(dataset)
    if count == 0:
        raise UsageError("the class ratio of an empty data set is not known; give it windows")
    chosen = np.random.default_rng(seed).choice(count, min(SAMPLED_ITEMS, count), replace=False)
    label = getattr(dataset, "label", None) or (lambda item: np.any(np.asarray(dataset[item]["positives"]) > 0))
    found = sum(bool(label(int(item))) for item in chosen)
    low, high = _wilson(found, len(chosen))
    _log.info("[DATASET] Seizure ratio: %.1f%%", 100 * found / len(chosen))
    _log.warning(
        "[DATASET] %s does not know its class ratio: estimated from %d of %d items, 95 %% interval %.1f%% to %.1f%%",
        type(dataset).__name__,
        len(chosen),
        count,
        100 * low,
        100 * high,
    )
    return found / len(chosen)


def _wilson(found: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927): never outside [0, 1], never empty."""
    share, z = found / count, _Z95
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return max(0.0, middle - half), min(1.0, middle + half)
