"""What reading one scan for training costs, what opening the index reads, and the disk that a cohort takes.

The peer is what scripts keep: both conformed volumes as float32 in one compressed NPZ, loaded whole. Ours copies the
mapped image (float16) and the mask (bits) into buffers that are there, as a loader does.

    python -m bgb_assets_tests.benchmarks.bench_mri_items [--small] [--repeats 15]

One thread, page cache warm for all. Arms take turns; a ratio is the median of the ratios of one turn.
"""

import os

os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"})

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from bgb_assets.loading.mapped import ShardStore
from bgb_assets.modalities.mri.conform.stored import normalised_image, read_volume, unpack_mask
from bgb_assets.storage.shards import NO_SHARD, SAMPLE_FIELDS, Source, write_index
from bgb_assets_tests.benchmarks.bench_mri_features import SHAPE, run
from bgb_assets_tests.benchmarks.measured import gate, in_turns, ratio, show
from bgb_assets_tests.modalities.mri.cached_scans import cached, head

COHORT = 223
MASK_BYTES = SHAPE[0] * SHAPE[1] * SHAPE[2] // 8


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="only see that it runs")
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench_mri_items_") as folder:
        root = Path(folder)
        run(cached(root / "cache", *head("patient07")), root / "features")
        disk(root / "features")
        opening(root)
        reading(root, 1 if options.small else options.repeats)


def disk(features: Path) -> None:
    """What the cohort takes, once for all folds."""
    one = sum(path.stat().st_size for path in features.iterdir())
    gate(27, f"store of {COHORT} scans with masks", COHORT * one / 2**30, at_most=7.6, unit="GiB")


def opening(root: Path) -> None:
    """Open the index of a cohort whose arrays are not there: none can be read."""
    write_cohort(root / "cohort", COHORT, "nowhere")
    started_s = time.perf_counter()
    store = ShardStore(root / "nothing", root / "cohort")
    print(f"\nindex of {len(store)} scans opened in {1e3 * (time.perf_counter() - started_s):.1f} ms")
    gate(27, "arrays that opening the index read", float((root / "nothing").exists()), at_most=0, unit="files")


def write_cohort(out: Path, scans: int, location: str) -> None:
    """Write an index of so many scans, all in one place."""
    out.mkdir()
    image, mask = ("image.npy", "<f2", SHAPE), ("mask.npy", "|u1", (MASK_BYTES,))
    sources = [Source(f"s{i}", location, *file) for i in range(scans) for file in (image, mask)]
    filled = {"shard": NO_SHARD, "offset": 0, "length": 1, "group": "g", "split": 0, "weight": 1.0}
    columns = {"sample": [f"s{i}" for i in range(scans)]} | {name: [value] * scans for name, value in filled.items()}
    schema = pa.schema([*SAMPLE_FIELDS, pa.field("source", pa.int32()), pa.field("mask_source", pa.int32())])
    columns |= {"source": range(0, 2 * scans, 2), "mask_source": range(1, 2 * scans, 2)}
    samples = pa.table({name: pa.array(columns[name], schema.field(name).type) for name in schema.names}, schema)
    write_index(out, shards=(), samples=samples, sources=sources, upstream={})


def reading(root: Path, repeats: int) -> None:
    """Read the same scan in turns."""
    write_cohort(root / "index", 1, "features")
    store, volume = ShardStore(root, root / "index"), read_volume(root / "features")
    peer = root / "peer.npz"
    mask = unpack_mask(store.source_at(1), SHAPE).astype(np.float32)
    np.savez_compressed(peer, image=normalised_image(store.source_at(0), volume), mask=mask)
    halves, singles, bits = np.empty(SHAPE, np.float16), np.empty(SHAPE, np.float32), np.empty(MASK_BYTES, np.uint8)

    def from_npz() -> None:
        with np.load(peer) as loaded:
            np.copyto(singles, loaded["image"])
            _ = loaded["mask"]

    def mapped(into: np.ndarray) -> None:
        fresh = ShardStore(root, root / "index")
        np.copyto(into, fresh.source_at(0))
        np.copyto(bits, fresh.source_at(1))

    arms = {
        "np.load of the NPZ": from_npz,
        "mapped, float16 and bits": lambda: mapped(halves),
        "mapped, cast to float32": lambda: mapped(singles),
    }
    taken = in_turns(arms, repeats)
    show("one scan with its mask", taken)
    loaded, stored, cast = taken.values()
    gate(27, "a sample: np.load / mapped", ratio(loaded, stored), at_least=20)
    gate(27, "a sample as float32: np.load / mapped", ratio(loaded, cast), at_least=5)


if __name__ == "__main__":
    main()
