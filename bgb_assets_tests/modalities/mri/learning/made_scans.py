"""Small made-up scans as stage features leaves them, and an index of them as stage tokens writes it.

Each scan is noise with one bright cube, the lesion: something a small network can learn in seconds.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa

from bgb_assets.loading.mapped import ShardStore
from bgb_assets.storage.shards import NO_SHARD, SAMPLE_FIELDS, describe_source, write_index

SIDE = 12
EXTRA = {
    "source": pa.int32(),
    "mask_source": pa.int32(),
    "outer_fold": pa.int8(),
    "inner_fold_0": pa.int8(),
    "inner_fold_1": pa.int8(),
    "inner_fold_2": pa.int8(),
    "lesion_voxels": pa.int64(),
    "total_voxels": pa.int64(),
    "image_lo": pa.float32(),
    "image_step": pa.float32(),
}


def made_scan(number: int, shape: tuple[int, ...] = (SIDE,) * 3) -> tuple[np.ndarray, np.ndarray]:
    """Return image float16 in [0, 1] and mask bool."""
    random = np.random.default_rng(number)
    image, mask = random.random(shape) * 0.5, np.zeros(shape, bool)
    low = random.integers(0, np.array(shape) - 4)
    mask[tuple(slice(start, start + 4) for start in low)] = True
    image[mask] += 0.5
    return image.astype(np.float16), mask


def made_store(
    root: Path, outer_folds: list[int], shape: tuple[int, ...] = (SIDE,) * 3, numbers=None, **columns
) -> ShardStore:
    """Write scans and their index; row i is in outer fold `outer_folds[i]` and in inner fold i % 3 elsewhere.

    Row i is scan i, or scan `numbers[i]`.
    """
    sources, rows = [], []
    for row, outer in enumerate(outer_folds):
        number = row if numbers is None else numbers[row]
        key, location = f"sub-M{number:04d}_ses-1", f"features/mri/{number:02d}"
        image, mask = made_scan(number, shape)
        (root / location).mkdir(parents=True, exist_ok=True)
        np.save(root / location / "image.npy", image)
        np.save(root / location / "mask.npy", np.packbits(mask))
        sources += [describe_source(key, root / location, location, file) for file in ("image.npy", "mask.npy")]
        inner = {f"inner_fold_{fold}": -1 if fold == outer else row % 3 for fold in range(3)}
        rows.append(
            {"sample": key, "shard": NO_SHARD, "offset": 0, "length": 1, "group": key[:9], "split": 0, "weight": 1.0}
            | {"source": 2 * row, "mask_source": 2 * row + 1, "outer_fold": outer, **inner}
            | {"lesion_voxels": int(mask.sum()), "total_voxels": mask.size, "image_lo": 0.0, "image_step": 1.0}
            | {name: values[row] for name, values in columns.items()}
        )
    (root / "tokens").mkdir(exist_ok=True)
    schema = pa.schema([*SAMPLE_FIELDS, *(pa.field(name, kind) for name, kind in EXTRA.items())])
    samples = pa.Table.from_pylist(rows, schema)
    write_index(root / "tokens", shards=(), samples=samples, sources=sources, upstream={"shape": list(shape)})
    return ShardStore(root, root / "tokens")
