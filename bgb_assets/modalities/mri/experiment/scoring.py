"""A trained model on the scans of its own test fold, on the conformed grid.

Belongs here: predicting, and measuring each prediction. Does not belong here: the figures (`measures`), how voxels are
judged in little memory (`learning.engines`), scans that no store knows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
import torch
from numpy.typing import NDArray

from bgb_assets.loading.mapped import ShardStore
from bgb_assets.loading.randomness import Draw
from bgb_assets.modalities.mri import model
from bgb_assets.modalities.mri.learning.data import MASK_SOURCE, SOURCE, ScanReader, network_input, stack
from bgb_assets.modalities.mri.learning.engines import logits_of
from bgb_assets.modalities.mri.learning.folds import OUTER_FOLD
from bgb_assets.modalities.mri.learning.memory import choose_engine, free_bytes
from bgb_assets.modalities.mri.learning.meshnet import MeshNet
from bgb_assets.modalities.mri.measures.overlap import Mask
from bgb_assets.modalities.mri.measures.per_scan import ScoredScan
from bgb_assets.modalities.mri.measures.scan import ScanFigures, measure_scan
from bgb_assets.runtime.errors import UsageError
from bgb_assets.training.fit import resolve_device

GRID = "conformed"
Index: TypeAlias = ShardStore
_UPSTREAM = {
    "grid": "the volumes it was trained on",
    "split": "the folds it was trained by",
}


@dataclass(frozen=True, eq=False)
class HeldOutScan:
    """One scan as a model sees it, with what is true of it.

    Attributes:
        row: In the index.
        image: (1, 1, X, Y, Z) float32, on the CPU.
        truth: (X, Y, Z).
    """

    row: int
    upload: str
    image: torch.Tensor
    truth: Mask


@dataclass(frozen=True, eq=False)
class RunModel:
    """A trained run, checked against the index that it is to be tested on.

    Attributes:
        network: In eval mode.
        params: Of the run, as its config holds them.
    """

    network: MeshNet
    params: Mapping[str, Any]

    @property
    def outer_fold(self) -> int:
        """The fold that the run never saw; -1 where it saw all."""
        return int(self.params["outer_fold"])

    @property
    def is_control(self) -> bool:
        """Whether masks changed places among the scans that it was trained on."""
        return bool(self.params["shuffled_labels"])


def open_index(root: Path, directory: Path) -> Index:
    """Return the scans that an entry of stage tokens lists; no array is opened."""
    return ShardStore(root, directory)


def load_run(directory: Path, store: ShardStore, variant: str | None = None, device: str = "cpu") -> RunModel:
    """Read a model directory that is to be tested on the scans of an index.

    Args:
        directory: Of the model.
        store: The index.
        variant: The one that is expected; any if None.
        device: Where the network is to lie: "auto", "cpu", "cuda".

    Raises:
        TrainingError: The directory holds no model, or a damaged one.
        UsageError: It is of another variant, or was trained on other volumes or by other folds.
    """
    loaded = model.load(directory)
    params, upstream = loaded.config["params"], loaded.config["upstream"]
    if variant is not None and params["variant"] != variant:
        raise UsageError(f"{directory}: is of variant {params['variant']!r}, expected {variant!r}; name that variant")
    for name, meant in _UPSTREAM.items():
        if upstream.get(name) != store.index.upstream.get(name):
            raise UsageError(
                f"{directory}: {meant} are {name} {upstream.get(name)!r}, the scans here have "
                f"{store.index.upstream.get(name)!r}; train on these scans first"
            )
    return RunModel(cast("MeshNet", loaded.model.to(resolve_device(device))), params)


def rows_tested(store: ShardStore, outer_fold: int) -> list[int]:
    """Return the rows of a test fold: all with image, mask and weight.

    Raises:
        UsageError: It has none.
    """
    rows: list[int] = np.flatnonzero(_usable(store) & (store.column(OUTER_FOLD) == outer_fold)).tolist()
    if outer_fold < 0 or not rows:
        raise UsageError(
            f"outer fold {outer_fold} tests no scan here: a model that was trained on all scans cannot be tested on "
            "them; take a run of an experiment"
        )
    return rows


def rows_trained(store: ShardStore, outer_fold: int) -> list[int]:
    """Return the rows of the training set of an outer fold."""
    dealt = store.column(OUTER_FOLD).astype(np.int64)
    rows: list[int] = np.flatnonzero(_usable(store) & (dealt >= 0) & (dealt != outer_fold)).tolist()
    return rows


def scans_of(store: ShardStore, rows: list[int]) -> Iterator[HeldOutScan]:
    """Yield scans whole and unchanged, one at a time."""
    reader = ScanReader(store, store.column(MASK_SOURCE).astype(np.int64))
    for row in rows:
        image, lesion = network_input(stack([reader(row, Draw(0, 0, row))]))
        yield HeldOutScan(row, reader.upload(row), image, lesion[0].numpy())


def logits_on(network: MeshNet, image: torch.Tensor, max_bytes: int | None = None) -> NDArray[np.float32]:
    """Return the logits (2, X, Y, Z) of an image (1, 1, X, Y, Z), by the engine that fits, on the network's device."""
    device = next(network.parameters()).device
    allowed = free_bytes(device) if max_bytes is None else max_bytes
    engine = choose_engine(network.shape, image.shape[2:], image.element_size(), allowed)
    found: NDArray[np.float32] = logits_of(network, image.to(device), engine)[0].cpu().numpy()
    return found


def lesion_in(logits: NDArray[np.floating[Any]]) -> Mask:
    """Return the lesion (X, Y, Z) in logits (2, X, Y, Z): where it is the likelier class."""
    return np.asarray(logits[1] > logits[0])


def score_run(store: ShardStore, run: RunModel, max_bytes: int | None = None) -> list[ScoredScan]:
    """Return the figures of a run on each scan of its test fold.

    Args:
        store: The index.
        run: The model, on the device that is to predict.
        max_bytes: Bound on the memory of features; what the device has free if None.

    Raises:
        UsageError: The run has no test scan, or no engine fits into the memory.
    """
    zoom_mm = (float(store.index.upstream["grid"]["zoom_mm"]),) * 3
    rows = rows_tested(store, run.outer_fold)
    said = store.index.samples.select(["group", "acquisition", "volume_bin"]).take(rows).to_pylist()
    scored = []
    for scan, held in zip(scans_of(store, rows), said, strict=True):
        figures = measure_scan(lesion_in(logits_on(run.network, scan.image, max_bytes)), scan.truth, zoom_mm)
        scored.append(_scored(scan, held, run, figures))
    return scored


def _usable(store: ShardStore) -> NDArray[np.bool_]:
    weights, image, mask = (store.column(name).astype(np.float64) for name in ("weight", SOURCE, MASK_SOURCE))
    return np.asarray((weights > 0) & (image >= 0) & (mask >= 0))


def _scored(scan: HeldOutScan, held: Mapping[str, Any], run: RunModel, figures: ScanFigures) -> ScoredScan:
    return ScoredScan(
        upload=scan.upload,
        subject=held["group"],
        acquisition=held["acquisition"],
        volume_bin=held["volume_bin"],
        outer_fold=run.outer_fold,
        restart=int(run.params["restart"]),
        figures=figures,
    )
