"""Which scans a run trains on, and which it validates on.

Belongs here: reading the folds of the index, and refusing what cannot be trained on. Does not belong here: dealing
folds (`splits`), reading scans (`data`).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bgb_assets.loading.mapped import ShardStore
from bgb_assets.loading.order import SampleIndex
from bgb_assets.modalities.mri.learning.data import MASK_SOURCE, SOURCE
from bgb_assets.modalities.mri.learning.variants import NO_FOLD, TrainParams
from bgb_assets.runtime.errors import TrainingError

OUTER_FOLD, LESION_VOXELS = "outer_fold", "lesion_voxels"
INNER_FOLD = "inner_fold_{}"
"""Column of the inner folds within the training set of an outer fold."""


class Dealt(NamedTuple):
    """The scans of a run."""

    train: SampleIndex
    validation: SampleIndex
    test: SampleIndex


def dealt(store: ShardStore, params: TrainParams) -> Dealt:
    """Return the scans of a run: all that have a mask and a weight, by their folds.

    Raises:
        TrainingError: The index has no such fold, or none of its scans to train on has a lesion.
    """
    weights = store.column("weight").astype(np.float64)
    usable = (weights > 0) & (_whole(store, SOURCE) >= 0) & (_whole(store, MASK_SOURCE) >= 0)
    outer = _whole(store, OUTER_FOLD)
    tested = usable & (outer == params.outer_fold) & (params.outer_fold != NO_FOLD)
    left = usable & (outer >= 0) & ~tested
    validated = left & _inner(store, params)
    parts = (left & ~validated, validated, tested)
    _check(store, params, parts[0], usable)
    lengths = _whole(store, "length")
    return Dealt(*(SampleIndex(np.flatnonzero(part), lengths, weights) for part in parts))


def _inner(store: ShardStore, params: TrainParams) -> NDArray[np.bool_]:
    """Return which rows are in the inner fold; none where none is asked for."""
    if params.inner_fold == NO_FOLD:
        return np.zeros(len(store), bool)
    column = INNER_FOLD.format(params.outer_fold)
    if column not in store.index.samples.column_names:
        raise TrainingError(f"the index has no inner folds of outer fold {params.outer_fold}: no column {column!r}")
    held: NDArray[np.bool_] = _whole(store, column) == params.inner_fold
    if not held.any():
        raise TrainingError(f"no scan is in inner fold {params.inner_fold} of outer fold {params.outer_fold}")
    return held


def _whole(store: ShardStore, column: str) -> NDArray[np.int64]:
    return store.column(column).astype(np.int64)


def _check(store: ShardStore, params: TrainParams, train: NDArray[np.bool_], usable: NDArray[np.bool_]) -> None:
    outer = _whole(store, OUTER_FOLD)[usable]
    folds = dict(zip(*(values.tolist() for values in np.unique(outer, return_counts=True)), strict=True))
    told = f"{len(store)} scans in the index, {int(usable.sum())} with image and mask, by outer fold {folds!r}"
    if params.outer_fold != NO_FOLD and params.outer_fold not in folds:
        raise TrainingError(f"no scan is in outer fold {params.outer_fold}: {told}; ingest more scans or deal again")
    if not train.any():
        raise TrainingError(f"no scan is left to train on for outer fold {params.outer_fold}: {told}")
    if not (_whole(store, LESION_VOXELS)[train] > 0).any():
        raise TrainingError(
            f"none of the {int(train.sum())} scans to train on for outer fold {params.outer_fold} has a lesion: {told}"
        )
