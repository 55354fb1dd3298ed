"""From a trained run to a folder of ONNX files and `export.json`, which says of each what it is worth.

Belongs here: the folder, which scans calibrate and which judge. Does not belong here: the graphs (`graphs`), the
verdict (`judging`).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.loading.mapped import ShardStore
from bgb_assets.modalities.mri.experiment.scoring import RunModel, rows_tested, rows_trained, scans_of
from bgb_assets.modalities.mri.export.graphs import (
    AXES,
    INPUT,
    OPSET,
    OUTPUT,
    require_onnx,
    write_float16,
    write_float32,
    write_int8,
)
from bgb_assets.modalities.mri.export.judging import DICE_LOSS_LIMIT, judge
from bgb_assets.runtime.errors import UsageError
from bgb_assets.storage.digests import canonical_json, sha256_bytes, sha256_file
from bgb_assets.training.model_directory import WEIGHTS_FILE

EXPORT_FILE = "export.json"
FORMS = tuple(DICE_LOSS_LIMIT)
FILES = {form: f"model.{form}.onnx" for form in FORMS}
_FORMAT = 1


def export_run(
    store: ShardStore,
    run: RunModel,
    directory: Path,
    out: Path,
    *,
    forms: Sequence[str] = FORMS,
    calibration: int = 8,
    scans: int | None = None,
    max_bytes: int | None = None,
) -> dict[str, Any]:
    """Write a run in the forms asked for, judge each on the scans of its test fold, and write `export.json`.

    A form that is not accepted is kept, and said to be so.

    Args:
        store: The index of the scans.
        run: On the CPU.
        directory: The run's model directory.
        out: Folder to write to.
        forms: Of `FORMS`; float32 is always made, the others come from it.
        calibration: How many scans of its training set the int8 form is calibrated on.
        scans: How many test scans judge; all if None.
        max_bytes: Bound on the memory of torch's features.

    Returns:
        What `export.json` holds.

    Raises:
        UsageError: A form does not exist, the run has no test scan, or a package is missing.
    """
    require_onnx()
    if (unknown := sorted(set(forms) - set(FORMS))) or calibration < 1 or (scans is not None and scans < 1):
        raise UsageError(
            f"expected forms among {', '.join(FORMS)} and at least one scan to calibrate and to judge on, "
            f"got {', '.join(unknown or forms)}, {calibration} and {scans}"
        )
    judging = _chosen(store, rows_tested(store, run.outer_fold), scans)
    calibrating = _chosen(store, rows_trained(store, run.outer_fold), calibration)
    out.mkdir(parents=True, exist_ok=True)
    files = _write_forms(store, run, out, [form for form in FORMS if form in {"float32", *forms}], calibrating)
    own, verdicts = judge(run.network, files, scans_of(store, judging), max_bytes)
    told = {
        "format": _FORMAT,
        "opset": OPSET,
        "input": {"name": INPUT, "type": "float32", "shape": [1, 1, *AXES]},
        "output": {"name": OUTPUT, "type": "float32", "shape": [1, run.network.shape.classes, *AXES]},
        "model": {
            **{name: run.params[name] for name in ("variant", "outer_fold", "restart", "seed", "shuffled_labels")},
            "weights": sha256_file(directory / WEIGHTS_FILE),
        },
        "upstream": store.index.upstream,
        "calibration": {"scans": _uploads(store, calibrating) if "int8" in files else []},
        "test": {"scans": _uploads(store, judging), "torch_lesion_dice": own},
        "forms": {form: verdict.to_json() for form, verdict in verdicts.items()},
    }
    (out / EXPORT_FILE).write_bytes(canonical_json(told) + b"\n")
    return told


def _write_forms(
    store: ShardStore, run: RunModel, out: Path, forms: Sequence[str], calibrating: list[int]
) -> dict[str, Path]:
    files = {form: out / FILES[form] for form in forms}
    write_float32(run.network, files["float32"])
    if "float16" in files:
        write_float16(files["float32"], files["float16"])
    if "int8" in files:
        write_int8(files["float32"], files["int8"], _images(store, calibrating))
    return files


def _images(store: ShardStore, rows: list[int]) -> Iterator[NDArray[np.float32]]:
    return (scan.image.numpy() for scan in scans_of(store, rows))


def _chosen(store: ShardStore, rows: Sequence[int], count: int | None) -> list[int]:
    """Return so many rows, in the order of their uploads' digests: no order of the scans decides which."""
    ordered = sorted(rows, key=lambda row: sha256_bytes(_uploads(store, [row])[0].encode()))
    return ordered[:count]


def _uploads(store: ShardStore, rows: Sequence[int]) -> list[str]:
    numbers = store.column("source")
    return [store.index.sources[int(numbers[row])].upload for row in rows]
